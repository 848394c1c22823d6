/** What follows a failed attempt while its run goes on: again, the catch handler, or the end of the task. Pure. */
import type { ErrorRecord } from "../../model/errors.ts";
import type { StepOptions } from "../../model/step-options.ts";
import { TASK_LOSSES_MAX, TASK_PEER_LOSSES_MAX } from "./run-limits.ts";

export type FailureDecision =
  | { readonly k: "retry"; readonly afterMs: number }
  | { readonly k: "catch" }
  | { readonly k: "fail" };

export interface FailureHistory {
  /** Failed attempts, this one included; lost ones do not count. */
  readonly failures: number;
  /** The attempt that failed was that of the catch handler. */
  readonly wasCatching: boolean;
}

export function decideFailure(
  { retry, hasCatch }: Pick<StepOptions, "retry" | "hasCatch">,
  { failures, wasCatching }: FailureHistory,
): FailureDecision {
  if (wasCatching) return { k: "fail" };
  if (failures <= retry.times)
    return { k: "retry", afterMs: retry.backoffMs * retry.factor ** (failures - 1) };
  return { k: hasCatch ? "catch" : "fail" };
}

const HOST_DIED: ErrorRecord = { code: "STEP_CRASHED", details: { signal: "its host died" } };

/** Of one task. */
export interface LossHistory {
  losses: number;
  peerLosses: number;
  isAlone: boolean;
}

/** Its peer is gone, or does not vouch for what it made: the task is not why. */
export function isPeersFault({ code }: ErrorRecord): boolean {
  return code === "PEER_LOST" || code === "FACT_REFUSED";
}

/** Counts a lost attempt. A task whose host died may be why, so it goes on alone; one whose peer is gone is not. */
export function countLoss(
  task: LossHistory,
  error: ErrorRecord = HOST_DIED,
): { readonly error: ErrorRecord; readonly isGivenUp: boolean } {
  if (isPeersFault(error)) return { error, isGivenUp: ++task.peerLosses >= TASK_PEER_LOSSES_MAX };
  task.isAlone = true;
  return { error, isGivenUp: ++task.losses >= TASK_LOSSES_MAX };
}
