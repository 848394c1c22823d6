/** A store in memory, for tests: the same promises, except that nothing outlives the process. Scratch segments are real files. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cidOf, parseCid } from "../../artifact/cid.ts";
import { chunksOf } from "../../artifact/chunker.ts";
import { INLINE_BYTES_MAX, putPieces } from "../../artifact/content.ts";
import { decodeManifest } from "../../artifact/manifest.ts";
import { decodeValue, encodeValue } from "../../artifact/codec.ts";
import { MfError } from "../../model/errors.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import type { ArtifactRef, Fact, FactRef } from "../../model/fact.ts";
import { runText, type Cid, type MemoKey, type RunRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import { isLater, isSet, markKey, type Mark } from "../../model/mark.ts";
import type {
  CommitBatch,
  ContentLocation,
  JournalWrite,
  Store,
  Sweeper,
  SweepPlan,
  SweepReport,
  SweepSet,
} from "../ports.ts";
import { walkSegment } from "../segment/segment-walk.ts";

export function openMemoryStore(): Store {
  return new MemoryStore(mkdtempSync(join(tmpdir(), "mf-memory-store-")));
}

class MemoryStore implements Store {
  readonly sweeper: Sweeper = {
    facts: () => this.#everyFact(),
    results: (refs) => this.getResults(refs),
    begin: () => ({ sweep: (plan) => this.#sweep(plan), abandon: () => undefined }),
  };
  readonly home: string;
  readonly scratchDir: string;
  readonly #content = new Map<string, Uint8Array>();
  readonly #facts = new Map<MemoKey, Uint8Array>();
  /** By memo key and result. */
  readonly #results = new Map<string, Uint8Array>();
  readonly #marks = new Map<string, Mark>();
  readonly #journals = new Map<string, Uint8Array[]>();
  readonly #runs = new Map<string, RunSummary>();
  #segments = 0;

  constructor(home: string) {
    this.home = home;
    this.scratchDir = home;
  }

  /** All or nothing: everything is checked before anything is kept. */
  async commit(batch: CommitBatch): Promise<void> {
    const pieces = new Map<string, Uint8Array>();
    for (const { id, data } of batch.inline ?? []) {
      const { codec, digest } = parseCid(id);
      if (cidOf(codec, data) !== id) throw new MfError("CONTENT_MISMATCH", { id });
      pieces.set(digest, data.slice());
    }
    const files = [...(batch.scratch ?? []), ...(batch.written ?? []).map(({ file }) => file)];
    for (const file of files) readScratch(file, pieces);
    const facts = (batch.facts ?? []).map((fact) => ({
      key: fact.memoKey,
      result: resultIdOf(fact),
      data: encodeValue(fact).data,
    }));
    if (batch.journal !== undefined) this.#refuseHole(batch.journal);
    const entries = (batch.journal?.entries ?? []).map((entry) => encodeValue(entry).data);
    for (const [digest, data] of pieces) this.#content.set(digest, data);
    for (const { key, result, data } of facts) {
      this.#facts.set(key, data);
      this.#results.set(`${key}.${result}`, data);
    }
    for (const mark of batch.marks ?? []) this.#setMark(mark);
    if (batch.journal !== undefined) {
      const key = runText(batch.journal.run);
      const kept = (this.#journals.get(key) ?? []).slice(0, batch.journal.from);
      this.#journals.set(key, [...kept, ...entries]);
    }
    if (batch.summary !== undefined) {
      this.#runs.set(runText(batch.summary.run), structuredClone(batch.summary));
    }
    for (const file of files) rmSync(file, { force: true });
    this.#segments += files.length;
  }

  async getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
    return keys.map((key) => {
      const data = this.#facts.get(key);
      return data === undefined ? undefined : (decodeValue(data) as Fact);
    });
  }

  async getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    return refs.map(({ memoKey, result }) => {
      const data =
        result === undefined ? this.#facts.get(memoKey) : this.#results.get(`${memoKey}.${result}`);
      return data === undefined ? undefined : (decodeValue(data) as Fact);
    });
  }

  async outputs(prefix: string, max: number): Promise<ArtifactRef[]> {
    const found = new Map<Cid, ArtifactRef>();
    for (const data of this.#results.values())
      for (const ref of Object.values((decodeValue(data) as Fact).outputs))
        if (ref.id.startsWith(prefix)) found.set(ref.id, ref);
    return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, max);
  }

  async marks(): Promise<Mark[]> {
    return [...this.#marks.values()].map((mark) => ({ ...mark }));
  }

  async *facts(): AsyncIterable<Fact> {
    for (const key of [...this.#facts.keys()].sort()) {
      const [fact] = await this.getFacts([key]);
      if (fact !== undefined) yield fact;
    }
  }

  async putBytes(
    data: Uint8Array,
    codec: "raw" | "messagepack",
  ): Promise<{ id: Cid; bytes: number }> {
    const append = (codec: Parameters<typeof cidOf>[0], piece: Uint8Array): Cid => {
      const id = cidOf(codec, piece);
      this.#content.set(parseCid(id).digest, piece.slice());
      return id;
    };
    return { id: putPieces({ append }, codec, data), bytes: data.length };
  }

  async putFile(path: string): Promise<{ id: Cid; bytes: number }> {
    return this.putBytes(readFileSync(path), "raw");
  }

  async has(ids: readonly Cid[]): Promise<boolean[]> {
    return ids.map((id) => this.#find(id) !== undefined);
  }

  async locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    return ids.map((id) => {
      const inline = this.#find(id);
      return inline === undefined ? undefined : { inline };
    });
  }

  async read(id: Cid): Promise<Uint8Array> {
    const data = this.#find(id);
    if (data === undefined) throw new MfError("CONTENT_MISSING", { id });
    return data.slice();
  }

  async *stream(id: Cid): AsyncIterable<Uint8Array> {
    const data = await this.read(id);
    if (data.length <= INLINE_BYTES_MAX) yield data;
    else yield* chunksOf(data);
  }

  async runs(flow?: string): Promise<RunSummary[]> {
    const all = [...this.#runs.values()].filter(
      (row) => (flow === undefined || row.run.flow === flow) && !this.#isGone(row.run),
    );
    return structuredClone(all.sort((a, b) => b.createdAt - a.createdAt));
  }

  async areGone(runs: readonly RunRef[]): Promise<boolean[]> {
    return runs.map((run) => this.#isGone(run));
  }

  async getRun(run: RunRef): Promise<RunSummary | undefined> {
    return structuredClone(this.#runs.get(runText(run)));
  }

  async *journal(run: RunRef): AsyncIterable<JournalEntry> {
    for (const data of this.#journals.get(runText(run)) ?? [])
      yield decodeValue(data) as JournalEntry;
  }

  async stats(): Promise<{ bytes: number; freeBytes: number; segments: number }> {
    const bytes = [...this.#content.values()].reduce((sum, data) => sum + data.length, 0);
    return { bytes, freeBytes: Number.MAX_SAFE_INTEGER, segments: this.#segments };
  }

  async close(): Promise<void> {
    rmSync(this.home, { recursive: true, force: true });
  }

  #isGone(run: RunRef): boolean {
    const mark = this.#marks.get(markKey({ kind: "gone", on: runText(run), name: "" }));
    return mark !== undefined && isSet(mark);
  }

  async *#everyFact(): AsyncIterable<Fact> {
    for (const data of this.#results.values()) yield decodeValue(data) as Fact;
  }

  async #sweep(plan: SweepPlan): Promise<SweepReport> {
    const pieces = (set: SweepSet): Set<string> =>
      new Set([...set.contents].flatMap((id) => this.#piecesOf(id)));
    const live = pieces(plan.live);
    const removed = pieces(plan.removed);
    const isNamed = ({ facts }: SweepSet, name: string): boolean =>
      facts.has(name) || facts.has(name.slice(0, name.lastIndexOf(".")));
    const facts = [...this.#results.keys()].filter(
      (name) => !isNamed(plan.live, name) && (plan.withOrphans || isNamed(plan.removed, name)),
    );
    const contents = [...this.#content.keys()].filter(
      (digest) => !live.has(digest) && (plan.withOrphans || removed.has(digest)),
    );
    const runs = plan.runs.map(runText).filter((run) => this.#runs.has(run));
    const bytes = contents.reduce(
      (sum, digest) => sum + (this.#content.get(digest)?.length ?? 0),
      0,
    );
    if (!plan.isDryRun) {
      for (const name of facts) this.#results.delete(name);
      for (const key of new Set(facts.map((name) => name.slice(0, name.lastIndexOf(".")))))
        this.#chooseLatest(key as MemoKey);
      for (const digest of contents) this.#content.delete(digest);
      for (const run of runs) {
        this.#runs.delete(run);
        this.#journals.delete(run);
      }
    }
    const counts = { runs: runs.length, facts: facts.length, contents: contents.length };
    return { ...counts, bytes, diskBytes: plan.isDryRun ? 0 : bytes };
  }

  #chooseLatest(key: MemoKey): void {
    const left = [...this.#results].flatMap(([name, data]) =>
      name.startsWith(`${key}.`) ? [{ data, at: (decodeValue(data) as Fact).at }] : [],
    );
    const latest = left.sort((a, b) => b.at - a.at)[0];
    if (latest === undefined) this.#facts.delete(key);
    else this.#facts.set(key, latest.data);
  }

  #piecesOf(id: Cid): string[] {
    const { codec, digest } = parseCid(id);
    const data = this.#content.get(digest);
    if (data === undefined || codec !== "dag-json") return [digest];
    return [digest, ...decodeManifest(data).chunks.map((chunk) => parseCid(chunk.id).digest)];
  }

  #setMark(mark: Mark): void {
    const known = this.#marks.get(markKey(mark));
    if (known === undefined || isLater(mark, known)) this.#marks.set(markKey(mark), { ...mark });
  }

  #refuseHole({ run, from }: JournalWrite): void {
    const length = this.#journals.get(runText(run))?.length ?? 0;
    if (from !== undefined && from > length)
      throw new MfError("JOURNAL_HOLE", { run: runText(run), from, length });
  }

  /** The whole content; undefined where a piece is not here. */
  #find(id: Cid): Uint8Array | undefined {
    const { codec, digest } = parseCid(id);
    const data = this.#content.get(digest);
    if (data === undefined || codec !== "dag-json") return data;
    const pieces = decodeManifest(data).chunks.map((chunk) => this.#find(chunk.id));
    return pieces.every((piece) => piece !== undefined)
      ? new Uint8Array(Buffer.concat(pieces))
      : undefined;
  }
}

function readScratch(file: string, into: Map<string, Uint8Array>): void {
  const walked = walkSegment(file);
  if (!walked.isSegment || walked.damagedAt !== undefined || walked.bad.length > 0) {
    throw new MfError("CONTENT_MISMATCH", { id: file });
  }
  const bytes = readFileSync(file);
  for (const { digest, offset, bytes: length } of walked.records) {
    into.set(digest, new Uint8Array(bytes.subarray(offset, offset + length)));
  }
}
