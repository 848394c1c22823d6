/**
 * What the engine and the CLI ask of a store. Implementations: memory/ (tests) and level/ (LevelDB index + segment files).
 * Everything acknowledged is durable: data fsync, then one LevelDB batch with sync, then the promise resolves.
 */
import type { ArtifactRef, Fact, FactRef } from "../model/fact.ts";
import type { Cid, MemoKey, RunRef } from "../model/ids.ts";
import type { JournalEntry, RunSummary } from "../model/journal.ts";
import type { Mark } from "../model/mark.ts";

/** Where the bytes of some content are, for a reader in another process. */
export type ContentLocation =
  | { readonly inline: Uint8Array }
  /** Parts in order; each must hash (sha-256) to `digest` (hex). Read and check each part before use. */
  | { readonly bytes: number; readonly parts: readonly ContentPart[] };

export interface ContentPart {
  /** Absolute path of a segment file. */
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly digest: string;
}

/** Content small enough to live in the index (at most INLINE_BYTES_MAX). */
export interface InlineContent {
  readonly id: Cid;
  readonly data: Uint8Array;
}

/** A finished segment file whose records are known to hash to their digests. */
export interface WrittenSegment {
  readonly file: string;
  readonly bytes: number;
  /** `digest`: sha-256 in hex. */
  readonly records: readonly {
    readonly digest: string;
    readonly offset: number;
    readonly bytes: number;
  }[];
}

/** Everything that becomes durable together. Group commit: concurrent calls may share one sync. */
export interface CommitBatch {
  readonly facts?: readonly Fact[];
  readonly inline?: readonly InlineContent[];
  /** Scratch segments written by step hosts: verified, fsynced, renamed into the store, indexed. */
  readonly scratch?: readonly string[];
  /** Segments that a thread of this process wrote, hashed and fsynced itself: taken over without reading them again. */
  readonly written?: readonly WrittenSegment[];
  readonly journal?: JournalWrite;
  /** Replaces the run's row in the list of runs. */
  readonly summary?: RunSummary;
  /** Each becomes what counts for its key where it is later than what is stored (`isLater`). */
  readonly marks?: readonly Mark[];
}

export interface JournalWrite {
  readonly run: RunRef;
  readonly entries: readonly JournalEntry[];
  /** Position of the first entry: what stands there and after it gives way (an old owner's tail to its successor's).
   *  At most the journal's length; more is refused with JOURNAL_HOLE. @default the journal's length */
  readonly from?: number;
}

export interface Store {
  readonly home: string;
  commit(batch: CommitBatch): Promise<void>;

  /** The latest fact of each key: what may be reused. */
  getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]>;
  /** What journals name: a step that is not repeatable leaves several facts of one key, and each stays. Without `result`, the latest. */
  getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]>;
  /** The latest fact of every key, in key order. */
  facts(): AsyncIterable<Fact>;
  /** What facts' outputs have ids that begin so, in the order of ids, at most `max`. */
  outputs(prefix: string, max: number): Promise<ArtifactRef[]>;
  /** What counts for every key, those that were taken off too. */
  marks(): Promise<Mark[]>;

  /** Stores bytes as they are (codec raw), or an encoded structured value (codec messagepack). Leave them alone until it resolves. */
  putBytes(data: Uint8Array, codec: "raw" | "messagepack"): Promise<{ id: Cid; bytes: number }>;
  /** Streams a file in; id is that of its bytes. */
  putFile(path: string): Promise<{ id: Cid; bytes: number }>;
  has(ids: readonly Cid[]): Promise<boolean[]>;
  /** Undefined where the content is not here. */
  locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]>;
  /** The whole content, verified. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  read(id: Cid): Promise<Uint8Array>;
  /** The content in pieces, each verified before it is yielded. */
  stream(id: Cid): AsyncIterable<Uint8Array>;

  /** Newest first, without those that were removed. */
  runs(flow?: string): Promise<RunSummary[]>;
  /** Which of them were removed: their mark `gone` is set. */
  areGone(runs: readonly RunRef[]): Promise<boolean[]>;
  getRun(run: RunRef): Promise<RunSummary | undefined>;
  /** In order; the hash chain is checked. */
  journal(run: RunRef): AsyncIterable<JournalEntry>;

  readonly sweeper: Sweeper;
  /** A directory for scratch segments and temporary files, swept when the store opens. */
  readonly scratchDir: string;
  stats(): Promise<{ bytes: number; freeBytes: number; segments: number }>;
  close(): Promise<void>;
}

/** How a worker stores one output: the reference that goes into the fact, and inline bytes where it is small. */
export interface StoredOutput {
  readonly ref: ArtifactRef;
  /** Present up to INLINE_BYTES_MAX; otherwise the content is in the batch's scratch segment. */
  readonly data?: Uint8Array;
}

/** Takes away what nobody keeps. What is kept is the caller's to say: src/client/collection. */
export interface Sweeper {
  /** Every result of every key. None of these, nor `Store.stream`, counts as asking for something. */
  facts(): AsyncIterable<Fact>;
  /** As `Store.getResults`. */
  results(refs: readonly FactRef[]): Promise<(Fact | undefined)[]>;
  /** Before what stays is gathered: what is stored or asked for from now on stays whatever is found. */
  begin(): Sweep;
}

export interface Sweep {
  /** Once. One sweep at a time: a second one waits. Nothing that stays is lost wherever it breaks off. It stops where
   *  gathering what stays took longer than SPARED_MS. */
  sweep(plan: SweepPlan): Promise<SweepReport>;
  /** It will not be swept after all. */
  abandon(): void;
}

export interface SweepPlan {
  readonly live: SweepSet;
  /** What runs that were removed name. */
  readonly removed: SweepSet;
  /** Also what nothing names at all. */
  readonly withOrphans: boolean;
  /** Runs whose rows and journals go. */
  readonly runs: readonly RunRef[];
  /** Others work with this store: what was stored or asked for less than SPARED_MS ago stays, and files that readers may know of
   *  stay for a while. */
  readonly isShared: boolean;
  /** No run goes on that may build on an answer of before: of what was removed, only what is asked for since `begin` stays. */
  readonly isQuiet: boolean;
  /** Counts what would go and takes nothing. */
  readonly isDryRun: boolean;
  /** What facts name that stay after all because somebody asked for them: whoever did relies on that too. */
  readonly namedBy?: (facts: readonly Fact[]) => Promise<ReadonlySet<Cid>>;
}

export interface SweepSet {
  /** `key.result`, or a memo key alone for all of its results. */
  readonly facts: ReadonlySet<string>;
  /** With the pieces of those that were cut. */
  readonly contents: ReadonlySet<Cid>;
}

export interface SweepReport {
  readonly runs: number;
  readonly facts: number;
  /** Pieces: what was cut counts once for each. */
  readonly contents: number;
  /** Of the contents. */
  readonly bytes: number;
  /** By which the segment files shrank: what is spread over files that are mostly live goes with them later. */
  readonly diskBytes: number;
}

/** Longer than anything is built on an answer before a journal names it. */
export const SPARED_MS = 10 * 60_000;
