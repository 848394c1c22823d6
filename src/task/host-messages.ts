/**
 * What the engine and a step host say to each other. The engine resolves inputs to content locations; the host reads, verifies,
 * decodes, calls the step, encodes, and answers with stored outputs. Frames are length-prefixed messagepack on a socket pair.
 */
import type { ErrorRecord } from "../model/errors.ts";
import type { TaskInputs } from "../model/fact.ts";
import type { Cid } from "../model/ids.ts";
import type { PeerId } from "../model/peer.ts";
import type { ContentLocation, StoredOutput } from "../store/ports.ts";
import type { PythonCode, ScriptCode } from "../code/flow-package.ts";

/** Attempts of one step, run one after another by one worker. About 100 ms of work (see engine/scheduler). */
export interface AttemptBatch {
  readonly id: number;
  readonly run: string;
  readonly step: string;
  /** Sent whole; a host caches compiled code by `codeId`. */
  readonly code: ScriptCode | PythonCode;
  readonly attempts: readonly AttemptSpec[];
  /** Where the content named in `attempts` is: every Cid that occurs in the inputs, except those of kind `bytes`. */
  readonly contents: ReadonlyMap<Cid, ContentLocation> | Readonly<Record<string, ContentLocation>>;
  /** Output properties that some each() reads: the worker also answers with an element table for each (see src/artifact/element-table.ts). */
  readonly eachOutputs: readonly string[];
  /** Absolute path the worker may create as a scratch segment for outputs too large to go inline. */
  readonly scratchFile: string;
  /** NDJSON log of this run's step; workers append (see src/task/log-record.ts). */
  readonly logFile: string;
  readonly env: Readonly<Record<string, string>>;
  /** Resident memory allowed to one attempt, bytes. */
  readonly memBytesMax: number;
  readonly timeoutMs?: number;
  /** After this long the worker answers with what is finished and gives back what it has not started. */
  readonly yieldAfterMs: number;
}

export interface AttemptSpec {
  readonly index: readonly number[];
  readonly attempt: number;
  readonly inputs: TaskInputs;
  readonly seed: string;
  /** Error of the last attempt: the step's `catch` handler is called with it instead of the step. */
  readonly catching?: ErrorRecord;
}

export interface AttemptOutcome {
  /** Position in `AttemptBatch.attempts`. */
  readonly position: number;
  /** not-started: given back after `yieldAfterMs`, or the host died before it began. lost: the shared host died while it may have been running. */
  readonly result: "succeeded" | "failed" | "cancelled" | "not-started" | "lost";
  readonly outputs?: Readonly<Record<string, StoredOutput>>;
  /** Output property -> its element table (an artifact), for `eachOutputs`. */
  readonly tables?: Readonly<Record<string, StoredOutput>>;
  readonly error?: ErrorRecord;
  /** Name of the peer that ran it, where that was another one: its fact and content are durable there, and what is small comes along. */
  readonly by?: string;
  /** Set with `by`: how its fact was made there, and the page that vouches for it. */
  readonly signed?: SignedOutcome;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rssBytesMax: number;
}

/** What the peer that ran an attempt says of the fact it made of it. */
export interface SignedOutcome {
  readonly peer: PeerId;
  /** `Fact.by`. */
  readonly by: string;
  /** `Fact.at`. */
  readonly at: number;
  readonly page: Cid;
  /** The page itself, one for all outcomes on it. */
  readonly data: Uint8Array;
}

export interface BatchResult {
  readonly outcomes: readonly AttemptOutcome[];
  /** The scratch segment, if one was written: goes into the same commit as the facts. */
  readonly scratchFile?: string;
}

/** Progress of an attempt while it runs: `ctx.progress(fraction, note)`. */
export interface AttemptProgress {
  readonly index: readonly number[];
  readonly fraction: number;
  readonly note?: string;
}
