/** Facts, what they made, and marks as rows of the index: reading them, and what a commit adds beside its own rows. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { resultIdOf } from "../../artifact/result-id.ts";
import { encodeValue } from "../../artifact/codec.ts";
import type { ArtifactRef, Fact, FactRef } from "../../model/fact.ts";
import { runText, type Cid, type MemoKey, type RunRef } from "../../model/ids.ts";
import { isLater, isSet, markKey, type Mark } from "../../model/mark.ts";
import type { CommitBatch } from "../ports.ts";
import {
  decodeFact,
  decodeOutput,
  decodeRow,
  encodeFact,
  outputOp,
  PREFIX,
  resultKey,
} from "./index-rows.ts";
import type { Kv, KvOp } from "./kv.ts";

/** Rows that are written together while outputs are indexed. */
const BUILD_BATCH = 1024;
/** Rows looked through between two turns of the event loop: a millisecond. */
const GROUPS_TURN = 64;
const MARKS_TURN = 128;

export async function readFacts(kv: Kv, keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
  const rows = await kv.getMany(keys.map((key) => PREFIX.fact + key));
  return rows.map((row, i) => (row === undefined ? undefined : decodeFact(row, keys[i])));
}

export async function readResults(kv: Kv, refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
  const latest = await readFacts(
    kv,
    refs.map(({ memoKey }) => memoKey),
  );
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
  const rows = await kv.getMany(missing.map(({ memoKey, result }) => resultKey(memoKey, result)));
  for (const [position, { at, memoKey }] of missing.entries()) {
    const row = rows[position];
    found[at] = row === undefined ? undefined : decodeFact(row, memoKey);
  }
  return found;
}

export async function* latestFacts(kv: Kv): AsyncIterable<Fact> {
  yield* factsUnder(kv, PREFIX.fact);
}

/** Every result of every key. */
export async function* allFacts(kv: Kv): AsyncIterable<Fact> {
  yield* factsUnder(kv, PREFIX.fact);
  yield* factsUnder(kv, PREFIX.result);
}

async function* factsUnder(kv: Kv, prefix: string): AsyncIterable<Fact> {
  for await (const [, row] of kv.rows(prefix)) {
    const fact = decodeFact(row);
    if (fact !== undefined) yield fact;
  }
}

/**
 * What this group's facts made, in one row: a row for each output costs a commit of small tasks a third more, and looking something
 * up by the beginning of its id is rare.
 */
export function newOutputsOps(batches: readonly CommitBatch[], name: string): KvOp[] {
  const flat: (string | number)[] = [];
  for (const { facts = [] } of batches)
    for (const { outputs } of facts)
      for (const { id, bytes, kind } of Object.values(outputs)) flat.push(id, bytes, kind);
  if (flat.length === 0) return [];
  return [{ type: "put", key: PREFIX.newOutputs + name, value: encodeValue(flat).data }];
}

/** Gives the outputs that came since the last time rows of their own. */
export async function foldOutputs(kv: Kv): Promise<void> {
  let ops: KvOp[] = [];
  for await (const [key, row] of kv.rows(PREFIX.newOutputs)) {
    for (const ref of outputsOf(row)) ops.push(outputOp(ref));
    ops.push({ type: "del", key });
    await nextTurn();
    if (ops.length < BUILD_BATCH) continue;
    await kv.batch(ops);
    ops = [];
  }
  if (ops.length > 0) await kv.batch(ops);
}

/** `unspread`: rows of groups that were walked through. */
export interface FoundOutputs {
  readonly outputs: ArtifactRef[];
  readonly unspread: number;
}

/** In the order of ids. What has no row of its own yet is looked for in the bytes of its group's, which is not decoded for nothing. */
export async function readOutputs(kv: Kv, prefix: string, max: number): Promise<FoundOutputs> {
  if (max <= 0) return { outputs: [], unspread: 0 };
  const found = new Map<string, ArtifactRef>();
  let unspread = 0;
  for await (const [, row] of kv.rows(PREFIX.newOutputs)) {
    if (++unspread % GROUPS_TURN === 0) await nextTurn();
    const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
    if (!bytes.includes(prefix, 0, "utf8")) continue;
    for (const ref of outputsOf(row)) if (ref.id.startsWith(prefix)) found.set(ref.id, ref);
    keepFirst(found, max);
  }
  let own = 0;
  for await (const [key, row] of kv.rows(PREFIX.output + prefix)) {
    const ref = decodeOutput(key, row);
    found.set(ref.id, ref);
    if (++own >= max) break;
  }
  keepFirst(found, max);
  return { outputs: [...found.values()].sort(byId), unspread };
}

function* outputsOf(row: Uint8Array): Iterable<ArtifactRef> {
  const flat = decodeRow(row);
  for (let at = 0; Array.isArray(flat) && at < flat.length; at += 3) {
    const [id, bytes, kind] = flat.slice(at, at + 3) as [Cid, number, string];
    yield { id, bytes, kind };
  }
}

function keepFirst(found: Map<string, ArtifactRef>, max: number): void {
  if (found.size <= max) return;
  for (const id of [...found.keys()].sort().slice(max)) found.delete(id);
}

function byId(a: ArtifactRef, b: ArtifactRef): number {
  return a.id < b.id ? -1 : 1;
}

/** For a store of before there were such rows. */
export async function indexOutputs(kv: Kv): Promise<void> {
  let ops: KvOp[] = [];
  for await (const fact of allFacts(kv)) {
    for (const ref of Object.values(fact.outputs)) ops.push(outputOp(ref));
    if (ops.length < BUILD_BATCH) continue;
    await kv.batch(ops);
    ops = [];
  }
  if (ops.length > 0) await kv.batch(ops);
}

export async function readMarks(kv: Kv): Promise<Mark[]> {
  return marksUnder(kv, PREFIX.mark);
}

/** `flow/id` of the runs that were removed. */
export async function goneRuns(kv: Kv): Promise<Set<string>> {
  const marks = await marksUnder(kv, `${PREFIX.mark}gone/`);
  return new Set(marks.filter(isSet).map(({ on }) => on));
}

export async function readGone(kv: Kv, runs: readonly RunRef[]): Promise<boolean[]> {
  const rows = await kv.getMany(
    runs.map((run) => PREFIX.mark + markKey({ kind: "gone", on: runText(run), name: "" })),
  );
  return rows.map((row) => {
    const mark = row === undefined ? undefined : (decodeRow(row) as Mark | undefined);
    return mark !== undefined && isSet(mark);
  });
}

async function marksUnder(kv: Kv, prefix: string): Promise<Mark[]> {
  const marks: Mark[] = [];
  for await (const [, row] of kv.rows(prefix)) {
    const mark = decodeRow(row);
    if (mark !== undefined && marks.push(mark as Mark) % MARKS_TURN === 0) await nextTurn();
  }
  return marks;
}

/** Rows that keep facts which this group's facts come after, where the result is another. Writes are one at a time, so what is read is current. */
export async function replacedFacts(kv: Kv, batches: readonly CommitBatch[]): Promise<KvOp[]> {
  const facts = batches.flatMap((batch) => batch.facts ?? []);
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

export async function markOps(kv: Kv, batches: readonly CommitBatch[]): Promise<KvOp[]> {
  const marks = batches.flatMap((batch) => batch.marks ?? []);
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
