/** A store in a few maps, for tests of what uses one. Its `durable` part outlives it, as a disk outlives a process. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cidOf } from "../../src/artifact/cid.ts";
import { MfError } from "../../src/model/errors.ts";
import { resultIdOf } from "../../src/artifact/result-id.ts";
import type { ArtifactRef, Fact, FactRef } from "../../src/model/fact.ts";
import { runText, type Cid, type MemoKey, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunSummary } from "../../src/model/journal.ts";
import { isSet, latestMarks, markKey, type Mark } from "../../src/model/mark.ts";
import type { CommitBatch, ContentLocation, Store, Sweeper } from "../../src/store/ports.ts";

/** One directory for all stores of a test process: engines make their log directories there. */
const HOME = join(tmpdir(), `mf-fake-store-${process.pid}`);
process.on("exit", () => rmSync(HOME, { recursive: true, force: true }));

export class Durable {
  readonly facts = new Map<MemoKey, Fact>();
  /** By memo key and result. */
  readonly results = new Map<string, Fact>();
  marks: Map<string, Mark> = new Map();
  readonly contents = new Map<Cid, Uint8Array>();
  readonly journals = new Map<string, JournalEntry[]>();
  readonly runs = new Map<string, RunSummary>();

  /** Every fact of that key. */
  forget(key: MemoKey): void {
    this.facts.delete(key);
    for (const name of this.results.keys())
      if (name.startsWith(`${key}.`)) this.results.delete(name);
  }
}

export interface FakeStoreOptions {
  /** From this commit on nothing is answered any more: the process was killed. */
  readonly commitsUntilKill?: number;
  /** From this commit on the disk is full. */
  readonly commitsUntilFull?: number;
  readonly home?: string;
}

export class FakeStore implements Store {
  readonly home: string;
  readonly scratchDir = HOME;
  readonly durable: Durable;
  readonly #options: FakeStoreOptions;
  commitCount = 0;
  locateCount = 0;
  /** Nobody collects in it: what a sweep takes is tested on stores that keep something. */
  readonly sweeper: Sweeper = {
    facts: () => this.facts(),
    results: (refs) => this.getResults(refs),
    begin: () => ({
      sweep: async () => ({ runs: 0, facts: 0, contents: 0, bytes: 0, diskBytes: 0 }),
      abandon: () => undefined,
    }),
  };

  constructor(durable = new Durable(), options: FakeStoreOptions = {}) {
    this.durable = durable;
    this.#options = options;
    this.home = options.home ?? HOME;
  }

  async commit(batch: CommitBatch): Promise<void> {
    await Promise.resolve();
    this.commitCount++;
    if (this.commitCount > (this.#options.commitsUntilKill ?? Infinity))
      await new Promise(() => undefined);
    if (this.commitCount > (this.#options.commitsUntilFull ?? Infinity))
      throw new MfError("STORE_FULL", { home: this.home });
    for (const fact of batch.facts ?? []) {
      this.durable.facts.set(fact.memoKey, fact);
      this.durable.results.set(`${fact.memoKey}.${resultIdOf(fact)}`, fact);
    }
    this.durable.marks = latestMarks([...this.durable.marks.values(), ...(batch.marks ?? [])]);
    for (const { id, data } of batch.inline ?? []) this.durable.contents.set(id, data);
    if (batch.journal !== undefined) {
      const key = runText(batch.journal.run);
      const { from } = batch.journal;
      const length = this.durable.journals.get(key)?.length ?? 0;
      if (from !== undefined && from > length)
        throw new MfError("JOURNAL_HOLE", { run: key, from, length });
      const journal = (this.durable.journals.get(key) ?? []).slice(0, from);
      journal.push(...batch.journal.entries);
      this.durable.journals.set(key, journal);
    }
    if (batch.summary !== undefined)
      this.durable.runs.set(runText(batch.summary.run), batch.summary);
  }

  async getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
    return keys.map((key) => this.durable.facts.get(key));
  }

  async getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    const latest = await this.getFacts(refs.map(({ memoKey }) => memoKey));
    return refs.map(({ memoKey, result }, at) =>
      result === undefined ? latest[at] : this.durable.results.get(`${memoKey}.${result}`),
    );
  }

  async outputs(prefix: string, max: number): Promise<ArtifactRef[]> {
    const refs = [...this.durable.results.values()].flatMap(({ outputs }) =>
      Object.values(outputs),
    );
    const found = new Map(refs.map((ref) => [ref.id, ref]));
    return [...found.values()]
      .filter(({ id }) => id.startsWith(prefix))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, max);
  }

  async marks(): Promise<Mark[]> {
    return [...this.durable.marks.values()];
  }

  async *facts(): AsyncIterable<Fact> {
    yield* [...this.durable.facts.values()].sort((a, b) => (a.memoKey < b.memoKey ? -1 : 1));
  }

  async putBytes(
    data: Uint8Array,
    codec: "raw" | "messagepack",
  ): Promise<{ id: Cid; bytes: number }> {
    const id = cidOf(codec, data);
    this.durable.contents.set(id, data);
    return { id, bytes: data.length };
  }

  async putFile(path: string): Promise<{ id: Cid; bytes: number }> {
    throw new MfError("CONTENT_MISSING", { id: path });
  }

  async has(ids: readonly Cid[]): Promise<boolean[]> {
    return ids.map((id) => this.durable.contents.has(id));
  }

  async locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    this.locateCount++;
    return ids.map((id) => {
      const inline = this.durable.contents.get(id);
      return inline === undefined ? undefined : { inline };
    });
  }

  async read(id: Cid): Promise<Uint8Array> {
    const data = this.durable.contents.get(id);
    if (data === undefined) throw new MfError("CONTENT_MISSING", { id });
    return data;
  }

  async *stream(id: Cid): AsyncIterable<Uint8Array> {
    yield await this.read(id);
  }

  async runs(flow?: string): Promise<RunSummary[]> {
    const runs = [...this.durable.runs.values()].filter(
      (summary) => (flow === undefined || summary.run.flow === flow) && !this.#isGone(summary.run),
    );
    return runs.sort((a, b) => b.createdAt - a.createdAt);
  }

  async areGone(runs: readonly RunRef[]): Promise<boolean[]> {
    return runs.map((run) => this.#isGone(run));
  }

  #isGone(run: RunRef): boolean {
    const mark = this.durable.marks.get(markKey({ kind: "gone", on: runText(run), name: "" }));
    return mark !== undefined && isSet(mark);
  }

  async getRun(run: RunRef): Promise<RunSummary | undefined> {
    return this.durable.runs.get(runText(run));
  }

  async *journal(run: RunRef): AsyncIterable<JournalEntry> {
    yield* this.durable.journals.get(runText(run)) ?? [];
  }

  async stats(): Promise<{ bytes: number; freeBytes: number; segments: number }> {
    return { bytes: 0, freeBytes: 1e12, segments: 0 };
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
