/**
 * Derives a run again from its beginning: the production run machine is fed with the journal's facts instead of hosts, so each task's
 * inputs, seed and memo key come from the graph, the parameters, the constants, the pinned versions and the outputs of the tasks before
 * it. What the journal says must be what comes out. Nothing is executed.
 */
import { decodeElementTable, encodeElementTable } from "../../artifact/element-table.ts";
import type { FlowPackage } from "../../code/flow-package.ts";
import { givenValues } from "../../engine/engine.ts";
import { ContentCache } from "../../engine/run/content-cache.ts";
import { tableList } from "../../engine/run/element-loader.ts";
import { elementsKey, ELEMENTS_OUTPUT } from "../../engine/run/element-memo.ts";
import { planFlow } from "../../engine/run/flow-plan.ts";
import { contentId } from "../../engine/run/memo-key.ts";
import { pinnedVersion } from "../../engine/run/past-run.ts";
import type { RunEffect } from "../../engine/run/run-events.ts";
import { UNITS_PER_TURN } from "../../engine/run/run-limits.ts";
import { RunMachine } from "../../engine/run/run-machine.ts";
import type { ElementList, TaskUnit } from "../../engine/run/run-units.ts";
import { readSwitchValue } from "../../engine/run/switch-value.ts";
import { isMfError, MfError, toErrorRecord } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import { taskText } from "../../model/ids.ts";
import { pastSources } from "../../engine/run/given-sources.ts";
import { unstored } from "../../store/unstored.ts";
import { defined } from "../../std/assert.ts";
import { listAt } from "../../task/load-inputs.ts";
import type { Records } from "../records.ts";
import type { RecordedRun } from "./recorded-run.ts";
import type { Findings } from "./verify-report.ts";

type Question<T extends RunEffect["t"]> = Extract<RunEffect, { t: T }>;

/** @returns how many tasks could be derived again @throws MfError CONTENT_MISSING (a parameter), PARAM_MISSING */
export async function replayRun(
  records: Records,
  recorded: RecordedRun,
  { flowPackage, findings }: { readonly flowPackage: FlowPackage; readonly findings: Findings },
): Promise<number> {
  const { started } = recorded;
  const params = Object.fromEntries(
    await Promise.all(
      Object.entries(started.params).map(async ([name, id]) => {
        return [name, { id, data: await records.read(id), text: "" }] as const;
      }),
    ),
  );
  const sources = await pastSources((id) => records.read(id), started.sources);
  const resolve = async (pathspec: string): Promise<InputSource> => {
    const id = Object.hasOwn(started.versions, pathspec) ? started.versions[pathspec] : undefined;
    if (id === undefined) throw new MfError("INPUT_MISSING", missingVersion(pathspec));
    return pinnedVersion(pathspec, id);
  };
  const request = { params, ...sources };
  const given = await givenValues({ store: unstored() }, { flowPackage, request, resolve });
  const plan = planFlow(flowPackage, environmentsOf(recorded, flowPackage));
  const rules = { noCache: false, rerun: new Set<string>(), tasksMax: Infinity };
  const machine = new RunMachine(plan, { given, seed: started.seed, ...rules });
  return new Replay(machine, records, { recorded, findings }).run();
}

function missingVersion(pathspec: string): Record<string, string> {
  return { source: "the journal", name: `the version of ${pathspec}`, known: "others" };
}

/** Of Python steps, what their facts say: no interpreter is asked here. */
function environmentsOf(recorded: RecordedRun, { steps }: FlowPackage): Record<string, string> {
  const environments: Record<string, string> = {};
  for (const { fact } of recorded.tasks.values()) {
    if (fact === undefined || steps[fact.step]?.kind !== "python") continue;
    environments[fact.step] ??= fact.env;
  }
  return environments;
}

class Replay {
  readonly #machine: RunMachine;
  readonly #records: Records;
  readonly #recorded: RecordedRun;
  readonly #findings: Findings;
  readonly #contents: ContentCache;
  readonly #lists = new Map<string, Promise<ElementList>>();
  readonly #seen = new Set<string>();
  /** Something could not be read, so what follows from it was not derived. */
  #isCut = false;

  constructor(
    machine: RunMachine,
    records: Records,
    { recorded, findings }: { readonly recorded: RecordedRun; readonly findings: Findings },
  ) {
    this.#machine = machine;
    this.#records = records;
    this.#recorded = recorded;
    this.#findings = findings;
    this.#contents = new ContentCache({ locate: (ids) => records.places(ids) });
  }

  async run(): Promise<number> {
    this.#machine.accept({ t: "started" }, 0);
    for (;;) {
      const hasMore = this.#machine.advance(UNITS_PER_TURN, 0);
      const effects = this.#machine.takeEffects();
      if (effects.length === 0 && !hasMore) break;
      for (const effect of effects) await this.#perform(effect);
    }
    this.#tellUnseen();
    return this.#seen.size;
  }

  async #perform(effect: RunEffect): Promise<void> {
    switch (effect.t) {
      case "look-up":
      case "enqueue":
        return this.#task(effect.task, effect.t === "look-up");
      case "load-elements":
        return this.#elements(effect);
      case "read-value":
        return this.#value(effect);
      case "stop-starting":
        this.#isCut = true;
        return;
      case "record-reuse":
      case "record-failure":
      case "wake-later":
      case "announce-step":
      case "finish":
        return;
    }
  }

  #task(task: TaskUnit, isAsked: boolean): void {
    const key = taskText({ step: task.step.name, index: task.index });
    const found = this.#recorded.tasks.get(key);
    const fact = found?.fact;
    if (found === undefined || fact === undefined) {
      // Failed, not reached, or without a fact: what reads it cannot be derived.
      if (found !== undefined) this.#isCut = true;
      if (isAsked) this.#machine.accept({ t: "looked-up", task, fact: undefined }, 0);
      return;
    }
    // A look-up that is answered with nothing is enqueued; one that has a fact is not.
    if (!this.#seen.has(key)) this.#compare(task, found.where, fact);
    this.#seen.add(key);
    if (isAsked) return this.#machine.accept({ t: "looked-up", task, fact }, 0);
    this.#machine.accept({ t: "attempt-started", task }, 0);
    this.#machine.accept({ t: "attempt-succeeded", task, fact }, 0);
  }

  #compare(task: TaskUnit, where: string, fact: NonNullable<TaskUnit["fact"]>): void {
    const { inputIds, seed, memoKey } = defined(task.identity, "a ready task has an identity");
    if (fact.memoKey === memoKey) return;
    const names = new Set([...Object.keys(inputIds), ...Object.keys(fact.inputs)]);
    const other = [...names].filter((name) => inputIds[name] !== fact.inputs[name]);
    if (fact.code !== task.step.code.codeId) other.push("its code");
    if (fact.env !== task.step.env) other.push("its environment");
    if (fact.seed !== seed) other.push("its seed");
    const what = other.length === 0 ? "its memo key" : other.join(", ");
    this.#findings.add("inputs-differ", where, `the run leads to another value of ${what}`);
  }

  async #elements({ level, position, source }: Question<"load-elements">): Promise<void> {
    try {
      const list = await this.#list(level.step.name, source);
      this.#machine.accept({ t: "elements-loaded", level, position, list }, 0);
    } catch (error) {
      if (this.#isMissing(error)) return;
      this.#machine.accept({ t: "elements-refused", level, error: toErrorRecord(error) }, 0);
    }
  }

  /** Cut from the list itself: a remembered table is what somebody said of it. */
  #list(step: string, source: InputSource): Promise<ElementList> {
    if (source.k === "list") {
      const { items } = source;
      return Promise.resolve({ count: items.length, at: (at) => items[at] as InputSource });
    }
    if (source.k === "object")
      throw new MfError("EACH_NOT_LIST", { source: "a whole handle", step, what: "object" });
    const path = source.k === "artifact" ? (source.path ?? []) : [];
    const key = contentId(source.id, path);
    let list = this.#lists.get(key);
    if (list === undefined) this.#lists.set(key, (list = this.#cutList(step, source, path)));
    return list;
  }

  async #cutList(
    step: string,
    source: Extract<InputSource, { k: "artifact" | "bytes" }>,
    path: readonly string[],
  ): Promise<ElementList> {
    try {
      const data = source.k === "bytes" ? source.data : await this.#records.read(source.id);
      const what = path.join(".") || "a value";
      return tableList(encodeElementTable(listAt(data, { step, source: what, path })).table);
    } catch (error) {
      if (!isMfError(error, "CONTENT_MISSING")) throw error;
    }
    const [fact] = await this.#records.facts([
      { memoKey: elementsKey(contentId(source.id, path)) },
    ]);
    const table = fact?.outputs[ELEMENTS_OUTPUT]?.id;
    if (table === undefined) throw new MfError("CONTENT_MISSING", { id: source.id });
    this.#findings.note(
      `the list that ${step} iterates over is missing: its elements are those of its table`,
    );
    return tableList(decodeElementTable(await this.#records.read(table)));
  }

  async #value({ unit, source }: Question<"read-value">): Promise<void> {
    try {
      const store = { read: (id: Parameters<Records["read"]>[0]) => this.#records.read(id) };
      const deps = { store, contents: this.#contents };
      const value = await readSwitchValue(deps, unit.plan.name, source);
      this.#machine.accept({ t: "value-read", unit, value }, 0);
    } catch (error) {
      if (this.#isMissing(error)) return;
      this.#machine.accept({ t: "value-refused", unit, error: toErrorRecord(error) }, 0);
    }
  }

  /** Content that cannot be read is told where contents are checked. */
  #isMissing(error: unknown): boolean {
    const isGone = isMfError(error, "CONTENT_MISSING") || isMfError(error, "CONTENT_MISMATCH");
    if (isGone) this.#isCut = true;
    return isGone;
  }

  #tellUnseen(): void {
    const unseen = [...this.#recorded.tasks].filter(([key]) => !this.#seen.has(key));
    if (unseen.length === 0) return;
    if (this.#isCut) {
      this.#findings.note(
        `inputs of ${unseen.length} tasks were not traced: what they come from is not all here`,
      );
      return;
    }
    for (const [, { where }] of unseen)
      this.#findings.add("task-unknown", where, "nothing in the flow leads to this task");
  }
}
