/** The engine as the CLI (and later the daemon) sees it. */
import type { FlowPackage } from "../code/flow-package.ts";
import type { ErrorRecord } from "../model/errors.ts";
import type { Cid, RunRef } from "../model/ids.ts";
import type {
  KnownResult,
  RunOrigin,
  RunState,
  SourceValue,
  TaskCounts,
} from "../model/journal.ts";

export interface Engine {
  /** Resolves once the run is durable in the store; then it goes on by itself. */
  start(flowPackage: FlowPackage, request: RunRequest): Promise<RunHandle>;
  /** Goes on with a run whose journal, package and parameters are in the store: same id, nothing done twice.
   *  @throws MfError RUN_NOT_FOUND, RUN_ENDED, CONTENT_MISSING */
  resume(run: RunRef): Promise<RunHandle>;
  /** The runs that go on now. */
  running(): readonly RunHandle[];
}

export interface RunRequest {
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly user: string;
  /** Enters every task's seed. @default "0" */
  readonly seed?: string;
  /** @default TASKS_MAX_DEFAULT (10,000) for each step */
  readonly maxTasks?: number;
  /** Attempts at once. @default the machine's cores */
  readonly maxWorkers?: number;
  /** Look no fact up. */
  readonly noCache?: boolean;
  /** Labels a peer must have to run any of it. */
  readonly labels?: readonly string[];
  /** Steps that are executed though their results are known; what they come to decides about the steps behind them. */
  readonly rerun?: readonly string[];
  /** As in RunOptions. */
  readonly results?: readonly KnownResult[];
  /** Pathspec of a from() -> what it stands for, instead of what it would be resolved to now. */
  readonly versions?: Readonly<Record<string, Cid>>;
  /** Every source of the flow, as the flow names it: a run that begins again is given what it had. */
  readonly sources?: Readonly<Record<string, SourceValue>>;
  readonly origin?: RunOrigin;
  readonly project?: string;
  readonly branch?: string;
}

/** A parameter's value, encoded as a structured value. */
export interface ParamValue {
  readonly id: Cid;
  readonly data: Uint8Array;
  /** For people. */
  readonly text: string;
}

export interface RunHandle {
  readonly run: RunRef;
  readonly finished: Promise<RunResult>;
  /** Where the run stands now; cheap, for a live display. */
  progress(): RunProgress;
  /** Called on each event; returns the unsubscribe function. */
  subscribe(listener: (event: RunEvent) => void): () => void;
  /** Starts nothing more, signals running attempts, keeps what is done. `finished` then says `cancelled`. */
  cancel(): void;
  /** The run is `owner`'s now: starts nothing more here, journals no end, leaves what runs alone. `finished` rejects with RUN_MOVED. */
  abandon(owner: string): void;
}

export interface RunResult {
  readonly run: RunRef;
  readonly state: RunState;
  readonly durationMs: number;
  readonly tasks: TaskCounts;
  /** The tasks that failed for good, at most FAILURES_SHOWN_MAX. */
  readonly failures: readonly TaskFailure[];
  /** Steps that were executed and came to what was known, so that everything behind them was reused. */
  readonly cutOffs?: readonly CutOff[];
}

export interface CutOff {
  readonly step: string;
  /** Tasks behind it. */
  readonly reused: number;
}

export interface TaskFailure {
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly error: ErrorRecord;
}

export interface RunProgress {
  readonly state: RunState;
  readonly steps: readonly StepProgress[];
  readonly elapsedMs: number;
}

export interface StepProgress {
  readonly name: string;
  readonly state: "waiting" | "running" | "succeeded" | "failed" | "cancelled" | "skipped";
  /** Undefined while the number of tasks is not known yet. */
  readonly total?: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly reused: number;
  /** From first start to last finish, ms. */
  readonly wallMs: number;
  /** Mean of the running attempts' ctx.progress fractions, if any was reported. */
  readonly fraction?: number;
  readonly note?: string;
}

export type RunEvent =
  | { readonly t: "run-started"; readonly run: RunRef }
  | { readonly t: "step-started"; readonly step: string; readonly total?: number }
  | { readonly t: "step-finished"; readonly step: string; readonly progress: StepProgress }
  | { readonly t: "attempt-failed"; readonly failure: TaskFailure; readonly retryInMs?: number }
  | { readonly t: "run-finished"; readonly result: RunResult };
