/** Why one task has to run: what was asked, what became of its own result, else how it differs from the nearest that ran. */
import type { Fact } from "../../model/fact.ts";
import { runText, type Cid } from "../../model/ids.ts";
import { mayNotReuse, type ReuseRule } from "../../engine/run/run-history.ts";
import { TaskUnit } from "../../engine/run/run-units.ts";
import type { StepPlan } from "../../engine/run/flow-plan.ts";
import { defined } from "../../std/assert.ts";
import { compareTasks, distance } from "../explain/compare-task.ts";
import type { Identity } from "../explain/task-side.ts";
import type { PastRuns, PastTaskOf } from "../explain/past-runs.ts";
import type { RunLibrary } from "../explain/run-library.ts";
import type { ComparedWith, Reason, VersionMade } from "../explain/reasons.ts";
import type { RunView } from "../explain/run-view.ts";
import type { Records } from "../records.ts";

export interface TaskReasonsDeps {
  readonly records: Records;
  readonly library: RunLibrary;
  readonly past: PastRuns;
  readonly view: RunView;
  readonly rule: ReuseRule;
  readonly now: number;
}

export interface ExplainedTask {
  readonly task: TaskUnit;
  readonly reasons: readonly Reason[];
  readonly against?: ComparedWith;
}

/** Undefined where the task may be reused if its result is known. */
export function askedReason(step: StepPlan, rule: ReuseRule): Reason | undefined {
  if (!mayNotReuse(new TaskUnit(step, [], undefined), rule)) return undefined;
  if (rule.rerun.has(step.name)) return { k: "asked", option: "--rerun" };
  return rule.noCache ? { k: "asked", option: "--no-cache" } : { k: "cache-off" };
}

export async function explainTasks(
  tasks: readonly TaskUnit[],
  deps: TaskReasonsDeps,
): Promise<ExplainedTask[]> {
  const facts = await deps.records.facts(tasks.map((task) => ({ memoKey: keyOf(task) })));
  const explained: ExplainedTask[] = [];
  for (const [at, task] of tasks.entries())
    explained.push(await explainTask(task, facts[at], deps));
  return explained;
}

async function explainTask(
  task: TaskUnit,
  known: Fact | undefined,
  deps: TaskReasonsDeps,
): Promise<ExplainedTask> {
  const asked = askedReason(task.step, deps.rule);
  if (asked !== undefined) return { task, reasons: [asked] };
  if (known !== undefined) return { task, reasons: [await unusable(task, known, deps)] };
  const ref = { step: task.step.name, index: task.index };
  const identity = identityOf(task);
  const nearest = nearestOf(await deps.past.earlier(ref), identity);
  if (nearest === undefined) return { task, reasons: [await firstReason(task, deps.past)] };
  const { view, output } = nearest;
  const against = {
    run: runText(view.ref),
    at: output.fact.at,
    by: output.fact.by,
    memoKey: output.fact.memoKey,
  };
  if (output.fact.memoKey === identity.memoKey)
    return { task, reasons: [{ k: "forgotten" }], against };
  const reasons = await compareTasks(
    { view, ...ref, identity: output.fact },
    { view: deps.view, ...ref, identity },
  );
  const named = await Promise.all(reasons.map((reason) => withMakers(reason, view, deps)));
  return { task, reasons: named, against };
}

/** A version says which run made it, before and now. */
async function withMakers(
  reason: Reason,
  before: RunView,
  { library, view }: TaskReasonsDeps,
): Promise<Reason> {
  if (reason.k !== "version") return reason;
  const named = async (id: string, at: number): Promise<VersionMade> => {
    const made = await library.makerOfVersion(reason.pathspec, id as Cid, at);
    return made === undefined ? { id } : { id, run: made.run.run, by: made.output.fact.by };
  };
  return {
    ...reason,
    before: await named(reason.before.id, before.at),
    after: await named(reason.after.id, view.at),
  };
}

/** It is stored, and yet the engine would not take it. */
async function unusable(
  task: TaskUnit,
  fact: Fact,
  { records, now }: TaskReasonsDeps,
): Promise<Reason> {
  const ttlMs = task.step.declaration.options.cache.ttlMs;
  if (ttlMs !== undefined && now - fact.at > ttlMs) return { k: "expired", madeAt: fact.at, ttlMs };
  const outputs = Object.entries(fact.outputs);
  const isHere = await records.has(outputs.map(([, { id }]) => id));
  const artifacts = outputs.flatMap(([name], at) => (isHere[at] === true ? [] : [name]));
  return { k: "gone", artifacts };
}

/** The one that differs in fewest ways; of equals the newest. */
export function nearestOf(
  candidates: readonly PastTaskOf[],
  identity: Identity,
): PastTaskOf | undefined {
  let nearest: PastTaskOf | undefined;
  let least = Infinity;
  for (const candidate of candidates) {
    const ways = distance(candidate.output.fact, identity);
    if (ways >= least) continue;
    least = ways;
    nearest = candidate;
  }
  return nearest;
}

async function firstReason(task: TaskUnit, past: PastRuns): Promise<Reason> {
  const runs = await past.all();
  if (runs.every(({ tasks }) => tasks.size === 0)) return { k: "first", of: "flow" };
  for (const run of runs) {
    const count = (await run.tasksOf(task.step.name)).length;
    if (count > 0) return { k: "first", of: "index", count };
  }
  return { k: "first", of: "step" };
}

function identityOf({ step, identity }: TaskUnit): Identity {
  const { memoKey, seed, inputIds } = defined(identity, "a task that is to run knows its identity");
  return { memoKey, seed, inputs: inputIds, code: step.code.codeId, env: step.env };
}

function keyOf({ identity }: TaskUnit): Fact["memoKey"] {
  return defined(identity, "a task that is to run knows its identity").memoKey;
}
