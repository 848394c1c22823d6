/**
 * Walks facts backwards: from a task to the tasks whose outputs it read, and on, to parameters, constants, sources and versions of
 * other runs. Each fact is visited once.
 */
import { resultIdOf } from "../../artifact/result-id.ts";
import type { StepCode } from "../../code/flow-package.ts";
import type { TaskOutput } from "../../engine/lookup/run-outputs.ts";
import { contentId } from "../../engine/run/memo-key.ts";
import {
  inputRefs,
  innerRef,
  refText,
  sourceSteps,
  stepNamed,
  switchNamed,
} from "../../graph/queries.ts";
import type { FlowGraph, ValueRef } from "../../graph/flow-graph.ts";
import { taskText } from "../../model/ids.ts";
import type { InputOrigin, OriginFact, OriginInput } from "./origin.ts";
import type { RunLibrary } from "./run-library.ts";
import type { PastRun } from "./run-view.ts";

export interface TraceLimits {
  /** Tasks one behind another. */
  readonly depthMax: number;
  /** Elements of one collect() that are followed. */
  readonly elementsMax: number;
  readonly factsMax: number;
}

interface Visit {
  readonly run: PastRun;
  readonly output: TaskOutput;
  readonly depth: number;
}

export class OriginTrace {
  readonly facts: OriginFact[] = [];
  readonly inputs: OriginInput[] = [];
  readonly #library: RunLibrary;
  readonly #limits: TraceLimits;
  readonly #known = new Set<string>();
  #queue: Visit[] = [];

  constructor(library: RunLibrary, limits: TraceLimits) {
    this.#library = library;
    this.#limits = limits;
  }

  /** Its id. What is behind it is followed by `follow`. */
  add(run: PastRun, output: TaskOutput, depth = 0): string {
    const id = `${run.run}/${taskText(output)}`;
    if (!this.#known.has(id)) {
      this.#known.add(id);
      this.#queue.push({ run, output, depth });
    }
    return id;
  }

  async follow(): Promise<void> {
    while (this.#queue.length > 0) {
      const visits = this.#queue;
      this.#queue = [];
      for (const visit of visits) await this.#visit(visit);
    }
  }

  async #visit({ run, output, depth }: Visit): Promise<void> {
    const { factsMax, depthMax } = this.#limits;
    const flowPackage = await run.flowPackage();
    const code = flowPackage?.steps[output.step];
    const isCut = depth + 1 >= depthMax || this.#known.size >= factsMax;
    this.facts.push({
      ...(await this.#factOf(run, output)),
      ...(code === undefined ? {} : { codeAt: placeOf(code) }),
      isCut,
    });
    const graph = flowPackage?.graph;
    const step = graph === undefined ? undefined : stepNamed(graph, output.step);
    const refs = step === undefined ? undefined : inputRefs(step);
    for (const [name, id] of Object.entries(output.fact.inputs)) {
      const ref = refs?.find((input) => input.name === name)?.ref;
      const to = `${run.run}/${taskText(output)}`;
      const source = ref === undefined ? name : refText(ref);
      if (graph === undefined || ref === undefined) {
        this.inputs.push({ to, name, source, id, from: { k: "unknown" } });
        continue;
      }
      const reader = { run, output, depth, graph, isCut };
      for (const from of await this.#originsOf(reader, ref, id))
        this.inputs.push({ to, name, source, id, from });
      await this.#addDecision(reader, innerRef(ref), to);
    }
  }

  /** What came through a switch hangs on the value that chose the case, too. */
  async #addDecision(reader: Reader, ref: ValueRef, to: string): Promise<void> {
    const on = ref.k === "switch" ? switchNamed(reader.graph, ref.name)?.on : undefined;
    if (ref.k !== "switch" || on === undefined) return;
    const name = `decision of ${ref.name}`;
    for (const from of await this.#originsOf(reader, on, ""))
      this.inputs.push({ to, name, source: refText(on), id: "", from });
  }

  async #factOf(
    run: PastRun,
    { step, index, fact }: TaskOutput,
  ): Promise<Omit<OriginFact, "isCut">> {
    const succeeded = run.tasks.get(taskText({ step, index }));
    const isReused = succeeded !== undefined && succeeded.attempt === undefined;
    const maker = isReused ? await this.#library.makerOf(fact, run) : undefined;
    return {
      id: `${run.run}/${taskText({ step, index })}`,
      run: run.run,
      step,
      index,
      memoKey: fact.memoKey,
      result: resultIdOf(fact),
      code: fact.code,
      env: fact.env,
      seed: fact.seed,
      at: fact.at,
      by: fact.by,
      wallMs: fact.wallMs,
      user: run.started.user,
      isReused,
      ...(maker === undefined ? {} : { madeIn: maker.run }),
      outputs: fact.outputs,
    };
  }

  async #originsOf(reader: Reader, ref: ValueRef, id: string): Promise<readonly InputOrigin[]> {
    const { run } = reader;
    const inner = innerRef(ref);
    if (inner.k === "param") return parametersOf(run, inner.name);
    if (inner.k === "const") return [{ k: "constant", text: inner.text }];
    if (inner.k === "from") return [await this.#versionOf(reader, inner.pathspec)];
    if (inner.k === "switch" && ref === inner) {
      const chosen = await chosenRef(reader, inner, id);
      if (chosen !== undefined) return this.#originsOf(reader, chosen, id);
    }
    if (inner.k === "source")
      return [{ k: "source", name: inner.spec, version: run.sources.get(inner.spec) ?? id }];
    const origins: InputOrigin[] = [];
    const isList = ref.k === "collect" || (ref.k === "each" && ref.of.k === "collect");
    for (const step of sourceSteps(reader.graph, ref))
      origins.push(...(await this.#tasksOf(reader, { step, isList, ref: inner })));
    return origins;
  }

  async #tasksOf(
    reader: Reader,
    { step, isList, ref }: { step: string; isList: boolean; ref: ValueRef },
  ): Promise<readonly InputOrigin[]> {
    const { run, output, depth, graph, isCut } = reader;
    const levels = stepNamed(graph, step)?.levels.length ?? 0;
    const shared = Math.min(isList ? levels - 1 : levels, output.index.length);
    const prefix = output.index.slice(0, shared).join(",");
    const [artifact] = ref.k === "out" ? ref.path : [];
    const named = artifact === undefined ? {} : { artifact };
    const follow = (made: TaskOutput): string =>
      isCut ? `${run.run}/${taskText(made)}` : this.add(run, made, depth + 1);
    if (!isList) {
      const made = await run.outputOf({ step, index: output.index.slice(0, shared) });
      return made === undefined ? [] : [{ k: "task", fact: follow(made), ...named }];
    }
    const all = (await run.tasksOf(step)).filter(
      ({ index }) => index.slice(0, shared).join(",") === prefix,
    );
    if (all.length === 0) return [];
    const facts = all.slice(0, this.#limits.elementsMax).map(follow);
    return [{ k: "tasks", facts, count: all.length }];
  }

  async #versionOf({ run, depth, isCut }: Reader, pathspec: string): Promise<InputOrigin> {
    const id = isCut ? undefined : run.versions.get(pathspec);
    const made =
      id === undefined
        ? undefined
        : await this.#library.makerOfVersion(pathspec, id, run.summary.createdAt);
    if (made === undefined) return { k: "version", pathspec };
    return { k: "version", pathspec, fact: this.add(made.run, made.output, depth + 1) };
  }
}

interface Reader extends Visit {
  readonly graph: FlowGraph;
  readonly isCut: boolean;
}

/** Which case a switch came to: the one whose value was read. Undefined where that cannot be told. */
async function chosenRef(
  { run, output, graph }: Reader,
  ref: Extract<ValueRef, { k: "switch" }>,
  id: string,
): Promise<ValueRef | undefined> {
  for (const value of Object.values(switchNamed(graph, ref.name)?.cases ?? {})) {
    if (value.k !== "out") continue;
    const [artifact, ...path] = [...value.path, ...ref.path];
    const levels = stepNamed(graph, value.step)?.levels.length ?? 0;
    const made = await run.outputOf({ step: value.step, index: output.index.slice(0, levels) });
    const content = artifact === undefined ? undefined : made?.fact.outputs[artifact]?.id;
    if (content === undefined || contentId(content, path) !== id) continue;
    return { ...value, path: [...value.path, ...ref.path] };
  }
  return undefined;
}

/** Where the step is written: `flow.ts:12`, `fit.py fit`. */
function placeOf(code: StepCode): string {
  return code.kind === "python" ? `${code.entry} ${code.fn}` : code.at;
}

function parametersOf(run: PastRun, name: string): InputOrigin[] {
  return [...run.params]
    .filter(([param]) => name === "*" || param === name)
    .map(([param, { text }]) => ({ k: "parameter", name: param, text }));
}
