/** The store over a LevelDB index and segment files. See README for what is acknowledged when. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { cidOf, parseCid } from "../../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import { decodeValue, encodeValue } from "../../artifact/codec.ts";
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import type { Random } from "../../env/random.ts";
import { MfError } from "../../model/errors.ts";
import type { ArtifactRef, Fact, FactRef } from "../../model/fact.ts";
import type { Cid, MemoKey, RunRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import { runText } from "../../model/ids.ts";
import { CHAIN_START, chainEntry, chainHashOf, readChained } from "../journal-chain.ts";
import {
  SPARED_MS,
  type CommitBatch,
  type ContentLocation,
  type JournalWrite,
  type Store,
} from "../ports.ts";
import { CommitQueue, type Prepared } from "./commit-queue.ts";
import type { ContentReader } from "./content-reader.ts";
import { deferredOf } from "./deferred.ts";
import {
  foldOutputs,
  latestFacts,
  markOps,
  newOutputsOps,
  readFacts,
  readGone,
  readMarks,
  readOutputs,
  readResults,
  replacedFacts,
} from "./fact-rows.ts";
import { decodeRow, encodeFact, journalKey, PREFIX, runKey, summaryOps } from "./index-rows.ts";
import type { Kv, KvOp } from "./kv.ts";
import type { LevelIndex } from "./level-index.ts";
import { PutQueue } from "./put-queue.ts";
import { RecentUse } from "./recent-use.ts";
import { journalRows, readRuns } from "./run-rows.ts";
import type { PresentChunks, SegmentShelf } from "./segment-shelf.ts";
import { LevelSweeper } from "./level-sweeper.ts";
import { isWriteError, type StoreLayout } from "./store-layout.ts";
import type { StoreLock } from "./store-lock.ts";
import type { StoreWorker, WrittenGroup } from "./store-worker.ts";

export interface LevelStoreParts {
  readonly layout: StoreLayout;
  readonly index: LevelIndex;
  readonly shelf: SegmentShelf;
  readonly reader: ContentReader;
  readonly worker: StoreWorker;
  readonly lock: StoreLock;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** Groups of outputs that a look-up walks through, some µs each, before they get rows of their own. */
const UNSPREAD_ROWS_MAX = 10_000;

interface PendingCommit extends Prepared {
  readonly epoch: number;
  readonly batch: CommitBatch;
  ops: KvOp[];
}

interface JournalHead {
  readonly count: number;
  readonly hash: Uint8Array;
}

export class LevelStore implements Store {
  readonly home: string;
  readonly scratchDir: string;
  readonly #parts: LevelStoreParts;
  readonly #queue = new CommitQueue<PendingCommit>((group) => this.#write(group));
  readonly #puts: PutQueue;
  #heads = new Map<string, JournalHead>();
  #headsEpoch = 0;
  #scratchCount = 0;
  /** Of this process: names of groups never come twice. */
  readonly #groupName: string;
  #groupCount = 0;
  readonly #recent: RecentUse;
  readonly sweeper: LevelSweeper;

  constructor(parts: LevelStoreParts) {
    this.#parts = parts;
    this.#groupName = Buffer.from(parts.random.bytes(8)).toString("hex");
    this.#recent = new RecentUse(parts.clock, SPARED_MS);
    this.sweeper = new LevelSweeper({
      ...parts,
      recent: this.#recent,
      newPath: () => join(this.scratchDir, `store-${this.#scratchCount++}.seg`),
      exclusive: (work) => this.#queue.exclusive(work),
      failure: (error) => this.#writeFailure(error),
      forgetRun: (run) => this.#heads.delete(runKey(run)),
    });
    this.home = parts.layout.home;
    this.scratchDir = parts.layout.scratch;
    this.#puts = new PutQueue({
      worker: parts.worker,
      newPath: () => join(this.scratchDir, `store-${this.#scratchCount++}.seg`),
      commit: (written) => this.#commitWritten(written),
      failure: (error) => this.#writeFailure(error),
    });
  }

  commit(batch: CommitBatch): Promise<void> {
    return this.#commit(batch, () => this.#prepare(batch));
  }

  async #commit(batch: CommitBatch, prepare: () => Promise<KvOp[]>): Promise<void> {
    const run = batch.journal === undefined ? undefined : runText(batch.journal.run);
    const { epoch } = this.#parts.index;
    const item: PendingCommit = { ready: false, run, batch, epoch, ops: [], done: deferredOf() };
    this.#queue.add(item);
    try {
      item.ops = await prepare();
    } catch (error) {
      this.#queue.remove(item);
      throw this.#writeFailure(error);
    }
    item.ready = true;
    this.#queue.pump();
    return item.done.promise;
  }

  async getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
    return readFacts(await this.#readyToUse(keys), keys);
  }

  async getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    const keys = refs.map(({ memoKey }) => memoKey);
    return readResults(await this.#readyToUse(keys), refs);
  }

  async outputs(prefix: string, max: number): Promise<ArtifactRef[]> {
    const kv = await this.#parts.index.ready();
    const found = await readOutputs(kv, prefix, max);
    if (found.unspread > UNSPREAD_ROWS_MAX)
      try {
        await foldOutputs(kv);
      } catch (error) {
        throw this.#writeFailure(error);
      }
    return found.outputs;
  }

  async marks(): Promise<Mark[]> {
    return readMarks(await this.#parts.index.ready());
  }

  async areGone(runs: readonly RunRef[]): Promise<boolean[]> {
    return readGone(await this.#parts.index.ready(), runs);
  }

  async *facts(): AsyncIterable<Fact> {
    yield* latestFacts(await this.#parts.index.ready());
  }

  async putBytes(
    data: Uint8Array,
    codec: "raw" | "messagepack",
  ): Promise<{ id: Cid; bytes: number }> {
    if (data.length <= INLINE_BYTES_MAX) {
      const id = cidOf(codec, data);
      await this.commit({ inline: [{ id, data }] });
      return { id, bytes: data.length };
    }
    return this.#puts.put({ codec, from: data, bytes: data.length });
  }

  async putFile(path: string): Promise<{ id: Cid; bytes: number }> {
    const { size } = await stat(path);
    return this.#puts.put({ codec: "raw", from: path, bytes: size });
  }

  async has(ids: readonly Cid[]): Promise<boolean[]> {
    return (await this.locate(ids)).map((location) => location !== undefined);
  }

  /** Whoever asks may build on the answer: a collection spares it for a while. */
  locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    return this.#parts.reader.locate(ids, async (digests) => {
      for (const digest of digests) this.#recent.add(digest);
      await this.#queue.settled;
    });
  }

  read(id: Cid): Promise<Uint8Array> {
    return this.#parts.reader.read(id);
  }

  stream(id: Cid): AsyncIterable<Uint8Array> {
    return this.#parts.reader.stream(id);
  }

  async runs(flow?: string): Promise<RunSummary[]> {
    return readRuns(await this.#parts.index.ready(), flow);
  }

  async getRun(run: RunRef): Promise<RunSummary | undefined> {
    const kv = await this.#parts.index.ready();
    const [row] = await kv.getMany([PREFIX.run + runKey(run)]);
    return row === undefined ? undefined : (decodeRow(row) as RunSummary | undefined);
  }

  async *journal(run: RunRef): AsyncIterable<JournalEntry> {
    const kv = await this.#parts.index.ready();
    // Not from memory: there, heads run ahead of what is on the disk.
    const head = await this.#storedHead(run);
    let hash = CHAIN_START;
    let count = 0;
    for await (const row of journalRows(kv, run, head.count)) {
      const entry = readChained(hash, row);
      if (entry === undefined) throw this.#brokenJournal(run);
      hash = chainHashOf(row);
      count++;
      yield entry;
    }
    if (count < head.count) throw this.#brokenJournal(run);
  }

  async stats(): Promise<{ bytes: number; freeBytes: number; segments: number }> {
    const { totals } = this.#parts.index;
    return {
      bytes: totals.bytes,
      freeBytes: this.#parts.index.freeBytes(),
      segments: totals.segments,
    };
  }

  async close(): Promise<void> {
    await this.sweeper.stop();
    await this.#puts.idle();
    await this.#queue.idle();
    await this.#parts.reader.close();
    await this.#parts.worker.close();
    try {
      await this.#parts.index.close();
    } finally {
      this.#parts.lock.release();
    }
  }

  /** Content alone: nothing of the batch is left to prepare. */
  #commitWritten(written: WrittenGroup): Promise<void> {
    return this.#commit({}, async () => {
      return this.#parts.shelf.place(this.#present(await this.#parts.index.ready()), [written]);
    });
  }

  /** Which chunks are here already. They are spared from now on, for what is stored relies on them. */
  #present(kv: Kv): PresentChunks {
    return async (digests) => {
      for (const digest of digests) this.#recent.add(digest);
      await this.#queue.settled;
      const rows = await kv.getMany(digests.map((digest) => PREFIX.chunk + digest));
      return rows.map((row) => row !== undefined);
    };
  }

  async #readyToUse(keys: readonly string[]): Promise<Kv> {
    for (const key of keys) this.#recent.add(key);
    await this.#queue.settled;
    return this.#parts.index.ready();
  }

  async #prepare(batch: CommitBatch): Promise<KvOp[]> {
    const ops: KvOp[] = [];
    for (const { id, data } of batch.inline ?? []) {
      const { codec, digest } = parseCid(id);
      if (cidOf(codec, data) !== id) throw new MfError("CONTENT_MISMATCH", { id });
      this.#recent.add(digest);
      ops.push({ type: "put", key: PREFIX.inline + digest, value: data });
    }
    const kv = await this.#parts.index.ready();
    if (batch.scratch !== undefined)
      ops.push(...(await this.#parts.shelf.adopt(this.#present(kv), batch.scratch)));
    if (batch.written !== undefined)
      ops.push(...(await this.#parts.shelf.place(this.#present(kv), batch.written)));
    for (const fact of batch.facts ?? []) {
      this.#recent.add(fact.memoKey);
      ops.push({ type: "put", key: PREFIX.fact + fact.memoKey, value: encodeFact(fact) });
    }
    if (batch.summary !== undefined) ops.push(...summaryOps(batch.summary));
    return ops;
  }

  async #write(group: readonly PendingCommit[]): Promise<void> {
    const { index } = this.#parts;
    const stale = group.some((item) => item.epoch !== index.epoch);
    const kv = await index.ready();
    const ops: KvOp[] = [];
    if (stale || this.#headsEpoch !== index.epoch) this.#heads = new Map();
    this.#headsEpoch = index.epoch;
    try {
      for (const item of group) {
        const journal = await this.#journalOps(item.batch.journal, ops);
        if (journal === undefined) {
          item.done.reject(this.#hole(item.batch.journal));
          continue;
        }
        for (const op of item.ops) ops.push(op);
        ops.push(...journal);
      }
    } catch (error) {
      this.#heads = new Map();
      throw error;
    }
    const batches = group.map(({ batch }) => batch);
    ops.unshift(...(await replacedFacts(kv, batches)));
    ops.push(...(await markOps(kv, batches)));
    ops.push(...newOutputsOps(batches, `${this.#groupName}-${this.#groupCount++}`));
    if (ops.length === 0) return;
    ops.push(index.totalsOp());
    try {
      await kv.batch(ops);
    } catch (error) {
      throw this.#writeFailure(error);
    }
  }

  /** `before`: what else this group writes. Undefined where the entries would leave a hole. */
  async #journalOps(
    journal: JournalWrite | undefined,
    before: readonly KvOp[],
  ): Promise<KvOp[] | undefined> {
    if (journal === undefined) return [];
    const { run, entries, from } = journal;
    const head = await this.#head(run);
    if (from !== undefined && from > head.count) return undefined;
    let { count, hash } =
      from === undefined || from === head.count ? head : await this.#headAt(run, from, before);
    const ops: KvOp[] = [];
    for (let gone = count + entries.length; gone < head.count; gone++)
      ops.push({ type: "del", key: journalKey(run, gone) });
    for (const entry of entries) {
      const value = chainEntry(hash, entry);
      hash = chainHashOf(value);
      ops.push({ type: "put", key: journalKey(run, count++), value });
    }
    this.#heads.set(runKey(run), { count, hash });
    const { data } = encodeValue([count, hash]);
    return [...ops, { type: "put", key: PREFIX.journalHead + runKey(run), value: data }];
  }

  /** What the head was when the journal had `count` entries. */
  async #headAt(run: RunRef, count: number, before: readonly KvOp[]): Promise<JournalHead> {
    if (count === 0) return { count, hash: CHAIN_START };
    const key = journalKey(run, count - 1);
    const fresh = before.findLast((op) => op.key === key);
    const kv = await this.#parts.index.ready();
    const row = fresh?.type === "put" ? fresh.value : (await kv.getMany([key]))[0];
    if (row === undefined) throw this.#brokenJournal(run);
    return { count, hash: chainHashOf(row) };
  }

  #hole(journal: JournalWrite | undefined): MfError {
    const run = journal === undefined ? "" : runText(journal.run);
    const length = journal === undefined ? 0 : this.#heads.get(runKey(journal.run))?.count;
    return new MfError("JOURNAL_HOLE", { run, from: journal?.from, length });
  }

  async #head(run: RunRef): Promise<JournalHead> {
    const key = runKey(run);
    const cached = this.#headsEpoch === this.#parts.index.epoch ? this.#heads.get(key) : undefined;
    return cached ?? this.#storedHead(run);
  }

  async #storedHead(run: RunRef): Promise<JournalHead> {
    const kv = await this.#parts.index.ready();
    const [row] = await kv.getMany([PREFIX.journalHead + runKey(run)]);
    if (row === undefined) return { count: 0, hash: CHAIN_START };
    const [count, hash] = decodeValue(row) as [number, Uint8Array];
    return { count, hash };
  }

  #brokenJournal(run: RunRef): MfError {
    const reason = `the journal of run ${runText(run)} has a hole`;
    return new MfError("STORE_CORRUPT", { home: this.home, reason });
  }

  /** A failed write poisons; what was wrong with the batch itself does not. */
  #writeFailure(error: unknown): Error {
    if (!isWriteError(error)) return error instanceof Error ? error : new Error(String(error));
    const poison = this.#parts.index.poison(error);
    this.#queue.rejectAll(poison);
    return poison;
  }
}
