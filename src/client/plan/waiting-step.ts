/**
 * What can be said of a step whose inputs are not there yet: where its code, its environment, a parameter or a version differs from
 * all that ran before, it runs whatever those inputs come to.
 */
import type { FlowPlan, StepPlan } from "../../engine/run/flow-plan.ts";
import { resolveRef, type GivenValues } from "../../engine/run/input-resolution.ts";
import { inputId, seedOf } from "../../engine/run/memo-key.ts";
import type { MemoKey } from "../../model/ids.ts";
import { unreachable } from "../../std/assert.ts";
import { compareTasks, distance } from "../explain/compare-task.ts";
import type { Identity } from "../explain/task-side.ts";
import type { PastRuns, PastTaskOf } from "../explain/past-runs.ts";
import type { Reason } from "../explain/reasons.ts";
import type { RunView } from "../explain/run-view.ts";

/** Tasks of each earlier run that are held against the step: those of a foreach are alike. */
const TASKS_COMPARED_MAX = 20;

export interface WaitingDeps {
  readonly plan: FlowPlan;
  readonly given: GivenValues;
  readonly past: PastRuns;
  readonly view: RunView;
  readonly seed: string;
}

/** Empty where it hangs on what runs before. */
export async function certainReasons(
  step: StepPlan,
  deps: WaitingDeps,
): Promise<readonly Reason[]> {
  const known = knownInputs(step, deps);
  let nearest: { readonly past: PastTaskOf; readonly identity: Identity } | undefined;
  let least = Infinity;
  for (const view of await deps.past.all()) {
    for (const output of (await view.tasksOf(step.name)).slice(0, TASKS_COMPARED_MAX)) {
      const identity: Identity = {
        memoKey: "" as MemoKey,
        code: step.code.codeId,
        env: step.env,
        seed: seedOf(deps.plan.flow, step.name, output.index, deps.seed),
        inputs: { ...output.fact.inputs, ...known },
      };
      const ways = distance(output.fact, identity);
      if (ways === 0) return [];
      if (ways < least) nearest = { past: { view, output }, identity };
      least = Math.min(least, ways);
    }
  }
  if (nearest === undefined) return firstOf(step, deps.past);
  const { past, identity } = nearest;
  const { index, fact } = past.output;
  const ref = { step: step.name, index };
  return compareTasks(
    { view: past.view, ...ref, identity: fact },
    { view: deps.view, ...ref, identity },
  );
}

/** A run to its end in which the step had no task (its list was empty) tells nothing of the next one. */
async function firstOf(step: StepPlan, past: PastRuns): Promise<readonly Reason[]> {
  const runs = await past.all();
  const hadNoTask = runs.some(
    ({ summary, started }) =>
      summary.state === "succeeded" && Object.hasOwn(started.codes, step.name),
  );
  if (hadNoTask) return [];
  const isFirst = runs.every(({ tasks }) => tasks.size === 0);
  return [{ k: "first", of: isFirst ? "flow" : "step" }];
}

/** Inputs that no task makes. */
function knownInputs(step: StepPlan, { plan, given }: WaitingDeps): Record<string, string> {
  const none = (): never => unreachable("a task's output" as never);
  const scope = { plan, given, task: none, decision: none, list: none };
  const known: Record<string, string> = {};
  for (const [name, ref] of step.inputs) {
    if (["out", "switch", "each", "collect"].includes(ref.k)) continue;
    known[name] = inputId(resolveRef(scope, ref, []));
  }
  return known;
}
