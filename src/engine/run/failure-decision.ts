/** What follows a failed attempt while its run goes on: again, the catch handler, or the end of the task. Pure. */
import type { StepOptions } from "../../model/step-options.ts";

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
