/** Keys and values of the index. Prefix = kind of row; everything a key carries sorts as the store reads it. */
import { decodeValue, encodeValue } from "../../artifact/codec.ts";
import { isMfError } from "../../model/errors.ts";
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import type { Cid, MemoKey, ResultId, RunId, RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { KvOp } from "./kv.ts";

export const PREFIX = {
  chunk: "c!",
  inline: "i!",
  fact: "f!",
  /** Facts that a later one with the same key and another result came after: `key.result`. */
  result: "v!",
  /** Id of an output -> its size and kind. */
  output: "o!",
  /** Outputs of one group of commits, all in one row: they get rows of their own when somebody looks. */
  newOutputs: "p!",
  mark: "k!",
  journal: "j!",
  journalHead: "h!",
  run: "r!",
  /** Runs of one flow, newest first. */
  flowTime: "t!",
  /** All runs, newest first. */
  time: "u!",
  segment: "s!",
  /** Segments that nothing points to any more: their files are still to be removed. */
  doomed: "x!",
  quarantine: "q!",
  meta: "m!",
} as const;

const TIME_MAX = 1e15;

/** Where a chunk's bytes are. */
export interface ChunkRow {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

export function encodeChunkRow(row: ChunkRow): Uint8Array {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUInt32LE(row.segment, 0);
  bytes.writeUIntLE(row.offset, 4, 6);
  bytes.writeUIntLE(row.bytes, 10, 6);
  return bytes;
}

export function decodeChunkRow(value: Uint8Array): ChunkRow {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  return {
    segment: bytes.readUInt32LE(0),
    offset: bytes.readUIntLE(4, 6),
    bytes: bytes.readUIntLE(10, 6),
  };
}

export function segmentName(segment: number): string {
  return `${segment.toString(16).padStart(8, "0")}.seg`;
}

export function runKey(run: RunRef): string {
  return `${encodeURIComponent(run.flow)}/${encodeURIComponent(run.id)}`;
}

export function journalKey(run: RunRef, sequence: number): string {
  return `${PREFIX.journal}${runKey(run)}!${sequence.toString(16).padStart(8, "0")}`;
}

/** Under a flow's or everybody's prefix, the newest run sorts first. */
export function timeKeys(run: RunRef, createdAt: number): [flow: string, all: string] {
  const age = String(TIME_MAX - Math.floor(createdAt)).padStart(16, "0");
  const flow = encodeURIComponent(run.flow);
  return [`${PREFIX.flowTime}${flow}!${age}!${runKey(run)}`, `${PREFIX.time}${age}!${runKey(run)}`];
}

/** A run's row, and its places in the lists of runs. */
export function summaryOps(summary: RunSummary): KvOp[] {
  const [flowTime, time] = timeKeys(summary.run, summary.createdAt);
  return [
    { type: "put", key: PREFIX.run + runKey(summary.run), value: encodeValue(summary).data },
    { type: "put", key: flowTime, value: new Uint8Array() },
    { type: "put", key: time, value: new Uint8Array() },
  ];
}

/** Everything of a run but its journal's entries. */
export function runRowKeys(run: RunRef, createdAt: number | undefined): string[] {
  const times = createdAt === undefined ? [] : timeKeys(run, createdAt);
  return [PREFIX.run + runKey(run), PREFIX.journalHead + runKey(run), ...times];
}

/** So that an output is found by the beginning of its id. */
export function outputOp({ id, bytes, kind }: ArtifactRef): KvOp {
  return { type: "put", key: PREFIX.output + id, value: Buffer.from(`${bytes} ${kind}`) };
}

export function decodeOutput(key: string, value: Uint8Array): ArtifactRef {
  const text = Buffer.from(value).toString("utf8");
  const at = text.indexOf(" ");
  const id = key.slice(PREFIX.output.length) as Cid;
  return { id, bytes: Number(text.slice(0, at)), kind: text.slice(at + 1) };
}

/** An array, not an object: ten thousand facts need no ten thousand copies of the property names. */
export function encodeFact(fact: Fact): Uint8Array {
  const outputs = Object.entries(fact.outputs).flatMap(([name, ref]) => {
    return [name, ref.id, ref.bytes, ref.kind];
  });
  return encodeValue([
    fact.v,
    fact.memoKey,
    fact.flow,
    fact.step,
    fact.code,
    fact.env,
    fact.seed,
    Object.entries(fact.inputs).flat(),
    outputs,
    fact.by,
    fact.at,
    fact.wallMs,
    fact.cpuMs,
    fact.rssBytesMax,
    ...(fact.run !== undefined
      ? [fact.page ?? "", fact.run]
      : fact.page === undefined
        ? []
        : [fact.page]),
  ]).data;
}

/** Undefined where the row is damaged: a fact that cannot be read is a fact that is not there. */
export function decodeFact(value: Uint8Array, key?: MemoKey): Fact | undefined {
  const row = decodeRow(value);
  if (!Array.isArray(row) || row[0] !== 1) return undefined;
  // Rows of version 0.1 know no page, those of element tables no run.
  if (row.length < 14 || row.length > 16) return undefined;
  const [v, memoKey, flow, step, code, env, seed, inputs, outputs, by, at, wallMs, cpuMs, rss] =
    row as [1, MemoKey, string, string, Fact["code"], string, string, string[], unknown[], string] &
      number[];
  if (key !== undefined && memoKey !== key) return undefined;
  const fact = {
    v,
    memoKey,
    flow,
    step,
    code,
    env,
    seed,
    inputs: fieldsOf(inputs, 2, (at) => inputs[at] ?? ""),
    outputs: fieldsOf(outputs, 4, (at) => {
      return { id: outputs[at], bytes: outputs[at + 1], kind: outputs[at + 2] } as ArtifactRef;
    }),
    by,
    at: at ?? 0,
    wallMs: wallMs ?? 0,
    cpuMs: cpuMs ?? 0,
    rssBytesMax: rss ?? 0,
  };
  const more: { page?: Cid; run?: RunId } = {};
  if (row.length > 14 && row[14] !== "") more.page = row[14] as Cid;
  if (row.length > 15) more.run = row[15] as RunId;
  return Object.assign(fact, more);
}

/** Names stand at every `width`th place, what they name behind them. Written out: there are very many facts. */
function fieldsOf<T>(
  flat: readonly unknown[],
  width: number,
  valueAt: (at: number) => T,
): Record<string, T> {
  const fields: Record<string, T> = {};
  for (let at = 0; at < flat.length; at += width) {
    const text = flat[at];
    const name = typeof text === "string" ? text : "";
    const value = valueAt(at + 1);
    if (name !== "__proto__") fields[name] = value;
    else
      Object.defineProperty(fields, name, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return fields;
}

export function resultKey(key: MemoKey, result: ResultId): string {
  return `${PREFIX.result}${key}.${result}`;
}

/** Undefined where the row is damaged. */
export function decodeRow(value: Uint8Array): unknown {
  try {
    return decodeValue(value);
  } catch (error) {
    if (isMfError(error, "CONTENT_MALFORMED")) return undefined;
    throw error;
  }
}
