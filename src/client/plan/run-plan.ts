/** What a run would do: the form in which `planRun` answers and `mf plan --json` prints. */
import type { ArmRef } from "../../graph/flow-graph.ts";
import type { ErrorRecord } from "../../model/errors.ts";
import type { ComparedWith, Reason } from "../explain/reasons.ts";

export interface RunPlan {
  readonly flow: string;
  readonly file: string;
  /** The earlier run that is nearest to this one; counts that hang on what has not run are taken from it. */
  readonly nearest?: { readonly run: string; readonly at: number };
  readonly tasks: PlannedCounts;
  /** False where a count hangs on what has not run. */
  readonly isExact: boolean;
  readonly steps: readonly StepForecast[];
}

export interface PlannedCounts {
  /** Their results are known. */
  readonly reused: number;
  readonly runs: number;
  /** They run unless what runs before them comes to the same as before. */
  readonly unknown: number;
}

export interface StepForecast {
  readonly name: string;
  readonly state: "reused" | "runs" | "waits" | "skipped" | "fails";
  readonly tasks: PlannedCounts;
  /** How many tasks there are hangs on what has not run: taken from the nearest earlier run. */
  readonly isPredicted: boolean;
  /** Steps that run before and decide about what is unknown. */
  readonly waitsFor: readonly string[];
  /** Arms of switches that are not decided yet: the step runs only where all of them are chosen. */
  readonly arms: readonly ArmRef[];
  /** Why, for those that run: tasks with the same reasons together. */
  readonly groups: readonly TaskGroup[];
  /** Tasks that run and whose reasons were not looked for: there are too many. */
  readonly unexplained: number;
  /** What would end the run here. */
  readonly error?: ErrorRecord;
}

export interface TaskGroup {
  /** Empty: tasks that wait for `waitsFor` and run whatever that comes to (if their arm is chosen). */
  readonly indexes: readonly (readonly number[])[];
  readonly count: number;
  readonly reasons: readonly Reason[];
  /** The earlier task that is nearest to the first of them. */
  readonly against?: ComparedWith;
}
