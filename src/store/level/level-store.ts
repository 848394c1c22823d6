/** The store over a LevelDB index and segment files. See README for what is acknowledged when. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { cidOf, parseCid } from "../../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import { decodeValue, encodeValue } from "../../artifact/codec.ts";
import { MfError } from "../../model/errors.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import type { ArtifactRef, Fact, FactRef } from "../../model/fact.ts";
import type { Cid, MemoKey, RunRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import { isLater, markKey, type Mark } from "../../model/mark.ts";
import { runText } from "../../model/ids.ts";
import { CHAIN_START, chainEntry, chainHashOf, readChained } from "../journal-chain.ts";
import type { CommitBatch, ContentLocation, JournalWrite, Store } from "../ports.ts";
import { CommitQueue, type Prepared } from "./commit-queue.ts";
import type { ContentReader } from "./content-reader.ts";
import { deferredOf } from "./deferred.ts";
import {
  decodeFact,
  decodeRow,
  encodeFact,
  journalKey,
  PREFIX,
  resultKey,
  runKey,
  summaryOps,
  timeKeys,
} from "./index-rows.ts";
import type { Kv, KvOp } from "./kv.ts";
import type { LevelIndex } from "./level-index.ts";
import { PutQueue } from "./put-queue.ts";
import type { SegmentShelf } from "./segment-shelf.ts";
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
}

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

  constructor(parts: LevelStoreParts) {
    this.#parts = parts;
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
    const kv = await this.#parts.index.ready();
    const rows = await kv.getMany(keys.map((key) => PREFIX.fact + key));
    return rows.map((row, i) => (row === undefined ? undefined : decodeFact(row, keys[i])));
  }

  async getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    const latest = await this.getFacts(refs.map(({ memoKey }) => memoKey));
    const found = latest.map((fact, at) => {
      const { result } = refs[at] ?? {};
      return fact !== undefined && result !== undefined && resultIdOf(fact) !== result
        ? undefined
        : fact;
    });
    const missing = refs.flatMap(({ memoKey, result }, at) =>
      found[at] === undefined && result !== undefined ? [{ at, memoKey, result }] : [],
    );
    if (missing.length === 0) return found;
    const kv = await this.#parts.index.ready();
    const rows = await kv.getMany(missing.map(({ memoKey, result }) => resultKey(memoKey, result)));
    for (const [position, { at, memoKey }] of missing.entries()) {
      const row = rows[position];
      found[at] = row === undefined ? undefined : decodeFact(row, memoKey);
    }
    return found;
  }

  async outputs(prefix: string, max: number): Promise<ArtifactRef[]> {
    const found = new Map<Cid, ArtifactRef>();
    for await (const fact of this.facts())
      for (const ref of Object.values(fact.outputs))
        if (ref.id.startsWith(prefix)) found.set(ref.id, ref);
    return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, max);
  }

  async marks(): Promise<Mark[]> {
    const kv = await this.#parts.index.ready();
    const marks: Mark[] = [];
    for await (const [, row] of kv.rows(PREFIX.mark)) {
      const mark = decodeRow(row);
      if (mark !== undefined) marks.push(mark as Mark);
    }
    return marks;
  }

  async *facts(): AsyncIterable<Fact> {
    const kv = await this.#parts.index.ready();
    for await (const [, row] of kv.rows(PREFIX.fact)) {
      const fact = decodeFact(row);
      if (fact !== undefined) yield fact;
    }
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

  locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    return this.#parts.reader.locate(ids);
  }

  read(id: Cid): Promise<Uint8Array> {
    return this.#parts.reader.read(id);
  }

  stream(id: Cid): AsyncIterable<Uint8Array> {
    return this.#parts.reader.stream(id);
  }

  async runs(flow?: string): Promise<RunSummary[]> {
    const kv = await this.#parts.index.ready();
    const prefix =
      flow === undefined ? PREFIX.time : `${PREFIX.flowTime}${encodeURIComponent(flow)}!`;
    const keys: string[] = [];
    for await (const [key] of kv.rows(prefix)) keys.push(key);
    const rows = await kv.getMany(
      keys.map((key) => PREFIX.run + key.slice(key.lastIndexOf("!") + 1)),
    );
    return rows.flatMap((row, i) => {
      const summary = row === undefined ? undefined : (decodeRow(row) as RunSummary | undefined);
      if (summary === undefined) return [];
      // A row left by an earlier creation time of the same run.
      return timeKeys(summary.run, summary.createdAt).includes(keys[i] ?? "") ? [summary] : [];
    });
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
    for await (const [, row] of kv.rows(`${PREFIX.journal}${runKey(run)}!`)) {
      if (count === head.count) return;
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
      return this.#parts.shelf.place(await this.#parts.index.ready(), [written]);
    });
  }

  async #prepare(batch: CommitBatch): Promise<KvOp[]> {
    const ops: KvOp[] = [];
    for (const { id, data } of batch.inline ?? []) {
      const { codec, digest } = parseCid(id);
      if (cidOf(codec, data) !== id) throw new MfError("CONTENT_MISMATCH", { id });
      ops.push({ type: "put", key: PREFIX.inline + digest, value: data });
    }
    const kv = await this.#parts.index.ready();
    if (batch.scratch !== undefined)
      ops.push(...(await this.#parts.shelf.adopt(kv, batch.scratch)));
    if (batch.written !== undefined)
      ops.push(...(await this.#parts.shelf.place(kv, batch.written)));
    for (const fact of batch.facts ?? []) {
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
    ops.unshift(...(await replacedFacts(kv, group)));
    ops.push(...(await markOps(kv, group)));
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

/** Rows that keep facts which this group's facts come after, where the result is another. Writes are one at a time, so what is read is current. */
async function replacedFacts(kv: Kv, group: readonly PendingCommit[]): Promise<KvOp[]> {
  const facts = group.flatMap(({ batch }) => batch.facts ?? []);
  if (facts.length === 0) return [];
  const rows = await kv.getMany(facts.map((fact) => PREFIX.fact + fact.memoKey));
  const latest = new Map<MemoKey, Fact>();
  const ops: KvOp[] = [];
  for (const [at, fact] of facts.entries()) {
    const row = rows[at];
    const before =
      latest.get(fact.memoKey) ?? (row === undefined ? undefined : decodeFact(row, fact.memoKey));
    latest.set(fact.memoKey, fact);
    if (before === undefined) continue;
    const result = resultIdOf(before);
    if (result === resultIdOf(fact)) continue;
    const key = resultKey(fact.memoKey, result);
    ops.push({ type: "put", key, value: encodeFact(before) });
  }
  return ops;
}

async function markOps(kv: Kv, group: readonly PendingCommit[]): Promise<KvOp[]> {
  const marks = group.flatMap(({ batch }) => batch.marks ?? []);
  if (marks.length === 0) return [];
  const keys = marks.map((mark) => PREFIX.mark + markKey(mark));
  const rows = await kv.getMany(keys);
  const latest = new Map<string, Mark>();
  for (const [at, mark] of marks.entries()) {
    const key = keys[at] ?? "";
    const row = rows[at];
    const before =
      latest.get(key) ?? (row === undefined ? undefined : (decodeRow(row) as Mark | undefined));
    if (before === undefined || isLater(mark, before)) latest.set(key, mark);
  }
  return [...latest].map(([key, mark]) => {
    return { type: "put", key, value: encodeValue(mark).data };
  });
}
