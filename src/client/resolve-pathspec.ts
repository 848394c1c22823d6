/** What a pathspec names in this store: a run, tasks, artifacts, or content by id. */
import { taskOutputs, type TaskOutput } from "../engine/lookup/run-outputs.ts";
import { findRun } from "../engine/lookup/run-lookup.ts";
import { MfError } from "../model/errors.ts";
import type { ArtifactRef, Fact } from "../model/fact.ts";
import { runText, taskText, type Cid } from "../model/ids.ts";
import type { RunSummary } from "../model/journal.ts";
import { parsePathspec, type Pathspec } from "../model/pathspec.ts";
import type { Store } from "../store/ports.ts";

export type Resolved =
  | { readonly k: "flow"; readonly flow: string; readonly runs: readonly RunSummary[] }
  | { readonly k: "run"; readonly run: RunSummary }
  /** One task, or (no index given for a step in a foreach) all of a step, in index order. */
  | {
      readonly k: "tasks";
      readonly run: RunSummary;
      readonly isOne: boolean;
      readonly tasks: readonly TaskOutput[];
    }
  | {
      readonly k: "artifacts";
      readonly run: RunSummary;
      readonly isOne: boolean;
      readonly artifacts: readonly ResolvedArtifact[];
    }
  | { readonly k: "content"; readonly id: Cid; readonly ref?: ArtifactRef };

export interface ResolvedArtifact {
  /** `flow/run/step[i]/artifact`. */
  readonly pathspec: string;
  readonly index: readonly number[];
  readonly ref: ArtifactRef;
  readonly fact: Fact;
  /** Leads to a property inside the artifact. */
  readonly path: readonly string[];
}

type FlowSpec = Extract<Pathspec, { k: "flow" }>;

/** What of a store is looked at. */
export type ResolvableStore = Pick<
  Store,
  "runs" | "marks" | "journal" | "getResults" | "has" | "outputs"
>;

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
export async function resolvePathspec(store: ResolvableStore, text: string): Promise<Resolved> {
  const spec = parsePathspec(text);
  if (spec.k === "content") return resolveContent(store, text, spec.id);
  if (spec.run === undefined) {
    const runs = await store.runs(spec.flow);
    if (runs.length === 0)
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec: text,
        reason: `no run of flow ${spec.flow}`,
        hint: "`mf ls` lists runs.",
      });
    return { k: "flow", flow: spec.flow, runs };
  }
  const run = await findRun(store, spec.flow, spec.run);
  if (spec.step === undefined) return { k: "run", run };
  const all = await taskOutputs(store, run.run, spec.step);
  const tasks = all.filter(
    (task) => spec.index === undefined || task.index.join(",") === spec.index.join(","),
  );
  if (tasks.length === 0)
    throw notFound(text, all, `${runText(run.run)} has no finished task of that name`);
  const isOne = spec.index !== undefined || (tasks.length === 1 && tasks[0]?.index.length === 0);
  if (spec.artifact === undefined) return { k: "tasks", run, isOne, tasks };
  return { k: "artifacts", run, isOne, artifacts: artifactsOf({ text, spec, run, tasks }) };
}

function artifactsOf({
  text,
  spec,
  run,
  tasks,
}: {
  text: string;
  spec: FlowSpec;
  run: RunSummary;
  tasks: readonly TaskOutput[];
}): ResolvedArtifact[] {
  const name = spec.artifact ?? "";
  return tasks.map(({ step, index, fact }) => {
    const ref = Object.hasOwn(fact.outputs, name) ? fact.outputs[name] : undefined;
    if (ref === undefined) {
      const known = Object.keys(fact.outputs).join(", ");
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec: text,
        reason: `${taskText({ step, index })} has no artifact ${name}`,
        hint: known === "" ? "It returned nothing." : `It has: ${known}.`,
      });
    }
    return {
      pathspec: `${runText(run.run)}/${taskText({ step, index })}/${name}`,
      index,
      ref,
      fact,
      path: spec.path ?? [],
    };
  });
}

/** Enough to answer, or to say which fit. */
const CANDIDATES_MAX = 6;

async function resolveContent(
  store: ResolvableStore,
  text: string,
  prefix: string,
): Promise<Resolved> {
  const whole = prefix as Cid;
  const [isHere] = prefix.length > 50 ? await store.has([whole]) : [false];
  const found = new Map(
    (await store.outputs(prefix, CANDIDATES_MAX)).map((ref): [Cid, ArtifactRef] => [ref.id, ref]),
  );
  const exact = found.get(whole);
  if (exact !== undefined) return { k: "content", id: whole, ref: exact };
  if (isHere === true) return { k: "content", id: whole };
  return onlyContent(text, found);
}

/** The one content that fits what was typed. @throws MfError PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS */
export function onlyContent(text: string, found: ReadonlyMap<Cid, ArtifactRef>): Resolved {
  const [first] = found.values();
  if (first === undefined)
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: "no stored content has an id that begins so",
      hint: "`mf ls-versions` lists ids.",
    });
  if (found.size > 1)
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text,
      candidates: [...found.keys()]
        .slice(0, 5)
        .map((id) => `c:${id}`)
        .join(", "),
    });
  return { k: "content", id: first.id, ref: first };
}

function notFound(text: string, known: readonly TaskOutput[], reason: string): MfError {
  const hint =
    known.length === 0
      ? "`mf status RUN` shows its steps."
      : `There are: ${known.slice(0, 5).map(taskText).join(", ")}${known.length > 5 ? ", …" : ""}.`;
  return new MfError("PATHSPEC_NOT_FOUND", { pathspec: text, reason, hint });
}
