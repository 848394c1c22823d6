/** A run's append-only record. State = fold(journal); the store chains entries by hash. */
import type { ErrorRecord } from "./errors.ts";
import type { Cid, CodeId, MemoKey, ResultId, RunRef } from "./ids.ts";
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
      /** The run whose code, parameters, inputs and seed this one was given. */
      readonly origin?: RunOrigin;
      /** Source as the flow names it -> what it was when the run began. */
      readonly sources?: Readonly<Record<string, SourcePin>>;
      readonly project?: string;
      readonly branch?: string;
      /** Of the program that began it. */
      readonly version?: string;
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
  /** Steps that are executed though their results are known. */
  readonly rerun?: readonly string[];
}

export interface RunOrigin {
  /** `flow/id`. */
  readonly run: string;
  /** `resume`: what succeeded is reused; `rerun`: the same again; `verify`: executed again and compared. */
  readonly how: "resume" | "rerun" | "verify";
}

/** An external object as it was when a run began. */
export interface SourcePin {
  /** The encoded structured value that steps get: a FileRef, or one for each file. */
  readonly id: Cid;
  /** Digest of names and contents: two pins with one version are the same source seen again. */
  readonly version: Cid;
  readonly files: number;
  readonly bytes: number;
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
  /** Which of the facts with that key. Undefined in journals of version 0.1. */
  readonly result?: ResultId;
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
  readonly origin?: RunOrigin;
  readonly project?: string;
  readonly branch?: string;
  /** Of the program that began it. */
  readonly version?: string;
}
