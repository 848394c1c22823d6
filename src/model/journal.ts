/** A run's append-only record. State = fold(journal); the store chains entries by hash. */
import type { ErrorRecord } from "./errors.ts";
import type { Cid, CodeId, MemoKey, RunRef } from "./ids.ts";
import type { PeerId } from "./peer.ts";

export type RunState = "waiting" | "running" | "succeeded" | "failed" | "cancelled";

export const RUN_MOVES: Readonly<Record<RunState, readonly RunState[]>> = {
  waiting: ["running", "cancelled"],
  running: ["succeeded", "failed", "cancelled"],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export type JournalEntry =
  | {
      readonly t: "run-started";
      readonly at: number;
      readonly user: string;
      readonly file: string;
      readonly bundleId: string;
      /** Content of the FlowPackage as JSON (raw). */
      readonly packageId: Cid;
      /** Parameter -> encoded structured value. */
      readonly params: Readonly<Record<string, Cid>>;
      readonly paramTexts: Readonly<Record<string, string>>;
      /** Pathspec of a from() -> what it was resolved to. */
      readonly versions: Readonly<Record<string, Cid>>;
      readonly seed: string;
      readonly codes: Readonly<Record<string, CodeId>>;
      /** What else was asked for, so that another owner can go on with it. */
      readonly options: RunOptions;
    }
  /** A peer began to own the run: written by each owner before it schedules. In a store without a mesh there is none. */
  | {
      readonly t: "owner-changed";
      readonly at: number;
      readonly owner: RunOwner;
      /** Peers that hold the journal beside the owner, in rank order: who is to take over. */
      readonly keepers: readonly PeerId[];
    }
  | { readonly t: "tasks-succeeded"; readonly at: number; readonly tasks: readonly TaskSucceeded[] }
  /** An attempt ended without a fact. `final`: no attempt follows, the task has failed. */
  | {
      readonly t: "attempt-failed";
      readonly at: number;
      readonly step: string;
      readonly index: readonly number[];
      readonly attempt: number;
      readonly outcome: "failed" | "lost" | "cancelled";
      readonly final: boolean;
      readonly error: ErrorRecord;
      readonly by: string;
    }
  | {
      readonly t: "run-finished";
      readonly at: number;
      readonly state: RunState;
      readonly error?: ErrorRecord;
    };

export interface RunOptions {
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
  readonly noCache?: boolean;
  /** Labels a peer must have. */
  readonly labels?: readonly string[];
}

/** The peer that schedules a run. Ballots grow with each change and fence the owners before (first form: counter only). */
export interface RunOwner {
  readonly peer: PeerId;
  readonly name: string;
  readonly ballot: number;
}

export interface TaskSucceeded {
  readonly step: string;
  readonly index: readonly number[];
  readonly memoKey: MemoKey;
  /** Undefined where the task was reused. */
  readonly attempt?: number;
  readonly by: string;
  readonly wallMs: number;
}

export interface TaskCounts {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly reused: number;
  readonly executed: number;
}

/** A row of `mf ls`. */
export interface RunSummary {
  readonly run: RunRef;
  readonly state: RunState;
  readonly createdAt: number;
  readonly finishedAt?: number;
  readonly user: string;
  readonly file: string;
  readonly bundleId: string;
  readonly counts: TaskCounts;
  /** The process that owns the run, to tell a run that goes on from one whose process died. */
  readonly pid: number;
  /** Set where the run belongs to a mesh: its process may then be another peer's. */
  readonly owner?: RunOwner;
}
