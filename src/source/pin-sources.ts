/**
 * Reads the sources of a flow as they are now: every file is stored by its content, and the value that steps get is made of names and
 * content ids. All of it happens before the run begins; what is wrong with a file is told then.
 */
import type { BigIntStats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { encodeValue } from "../artifact/codec.ts";
import { contentIdOf } from "../artifact/content.ts";
import { brandedFile, type FileInfo } from "../artifact/file-brand.ts";
import { pathBeside } from "../code/path-beside.ts";
import type { FlowGraph } from "../graph/flow-graph.ts";
import { sourcesOf } from "../graph/queries.ts";
import { isListSource, parseSource } from "../graph/source-spec.ts";
import { MfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import type { SourceValue } from "../model/journal.ts";
import { inTurns } from "../std/in-turns.ts";
import { FileCache } from "./file-cache.ts";
import { findFiles, refusal, SourceRefused, type FoundFile } from "./find-files.ts";
import { ASKED_AT_ONCE_MAX, STORED_AT_ONCE_MAX } from "./source-limits.ts";

export interface SourceStore {
  putFile(path: string): Promise<{ readonly id: Cid; readonly bytes: number }>;
  has(ids: readonly Cid[]): Promise<readonly boolean[]>;
}

export interface PinOptions {
  /** Absolute. */
  readonly flowFile: string;
  readonly store: SourceStore;
  /** Remembers ids of files there. */
  readonly cacheFile?: string;
  readonly now: () => number;
  readonly onProgress?: (progress: PinProgress) => void;
  /** Ends it between two files. */
  readonly signal?: AbortSignal;
}

export interface PinProgress {
  readonly source: string;
  readonly files: number;
  readonly filesTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
}

export interface PinnedSources {
  /** Source, as the flow names it -> its value. */
  readonly values: Readonly<Record<string, SourceValue>>;
  /** The files of all of them. */
  readonly contents: readonly Cid[];
}

/** @throws MfError SOURCE_INVALID, SOURCE_CHANGED, INTERRUPTED and what the store throws */
export async function pinSources(graph: FlowGraph, options: PinOptions): Promise<PinnedSources> {
  // What is missing is told before anything is stored.
  const found = await findSources(graph, options.flowFile);
  if (found.length === 0) return { values: {}, contents: [] };
  const cache = new FileCache(options.cacheFile);
  const values: [string, SourceValue][] = [];
  const contents = new Set<Cid>();
  try {
    for (const [source, files] of found) {
      const place = { flow: graph.name, source };
      const stored = await refused(place, () => storeAll(files, { source, cache, options }));
      for (const { id } of stored) contents.add(id as Cid);
      values.push([source, valueOf(source, stored)]);
    }
  } finally {
    cache.save();
  }
  return { values: Object.fromEntries(values), contents: [...contents] };
}

type FoundSource = readonly [source: string, files: readonly FoundFile[]];

/** The files that sources mean now; nothing is read of them. @param flowFile absolute @throws MfError SOURCE_INVALID */
export async function findSources(graph: FlowGraph, flowFile: string): Promise<FoundSource[]> {
  const found: FoundSource[] = [];
  for (const source of sourcesOf(graph)) {
    const spec = parseSource(source);
    const root = pathBeside(flowFile, spec.path);
    try {
      found.push([source, await findFiles(spec, root)]);
    } catch (error) {
      if (!(error instanceof SourceRefused)) throw error;
      const reason = `${error.message}${await namedAt(flowFile, source)}`;
      throw new MfError("SOURCE_INVALID", { flow: graph.name, source, reason, hint: error.hint });
    }
  }
  return found;
}

/** Where the flow file has it, as far as it is written there in one piece. */
async function namedAt(flowFile: string, source: string): Promise<string> {
  const text = await readFile(flowFile, "utf8").catch(() => "");
  const line = text.split("\n").findIndex((each) => each.includes(source)) + 1;
  return line === 0 ? "" : ` (named at ${basename(flowFile)}:${line})`;
}

/** One file has the version of its content; of several the list is what has one. */
function valueOf(source: string, files: readonly FileInfo[]): SourceValue {
  const isList = isListSource(source);
  const value = isList ? files : files[0];
  const { data } = encodeValue(value, { step: "sources", name: source });
  const [first] = files;
  return {
    data,
    version: isList || first === undefined ? contentIdOf("messagepack", data) : (first.id as Cid),
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}

async function refused<T>(
  place: { readonly flow: string; readonly source: string },
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof SourceRefused)) throw error;
    const { message: reason, hint } = error;
    throw new MfError("SOURCE_INVALID", { ...place, reason, hint });
  }
}

interface Storing {
  readonly source: string;
  readonly cache: FileCache;
  readonly options: PinOptions;
}

/** In the order given, several at a time. */
async function storeAll(files: readonly FoundFile[], storing: Storing): Promise<FileInfo[]> {
  const { source, options } = storing;
  const looks = await inTurns(files, STORED_AT_ONCE_MAX, ({ path }) => looksOf(path));
  const known = await knownIds(files, looks, storing);
  const bytesTotal = looks.reduce((sum, { size }) => sum + Number(size), 0);
  let bytes = 0;
  let done = 0;
  const tell = (): void =>
    options.onProgress?.({ source, files: done, filesTotal: files.length, bytes, bytesTotal });
  tell();
  return inTurns(files, STORED_AT_ONCE_MAX, async (file, at) => {
    if (options.signal?.aborted === true) throw new MfError("INTERRUPTED");
    const before = looks[at] ?? (await looksOf(file.path));
    const size = Number(before.size);
    const id = known[at] ?? (await storeOne(file.path, before, storing));
    bytes += size;
    done++;
    tell();
    return brandedFile({ id, name: file.name, size });
  });
}

/** Of files that have not changed and whose contents are still stored. */
async function knownIds(
  files: readonly FoundFile[],
  looks: readonly BigIntStats[],
  { cache, options: { store } }: Storing,
): Promise<(Cid | undefined)[]> {
  const ids = files.map(({ path }, at) => {
    const facts = looks[at];
    return facts === undefined ? undefined : cache.get(path, facts);
  });
  const asked = [...new Set(ids.filter((id) => id !== undefined))];
  const held = new Set<Cid>();
  for (let from = 0; from < asked.length; from += ASKED_AT_ONCE_MAX) {
    const page = asked.slice(from, from + ASKED_AT_ONCE_MAX);
    for (const [at, isHeld] of (await store.has(page)).entries()) {
      const id = page[at];
      if (isHeld && id !== undefined) held.add(id);
    }
  }
  return ids.map((id) => (id !== undefined && held.has(id) ? id : undefined));
}

/** The id of the file as it was `before`. @throws MfError SOURCE_CHANGED */
async function storeOne(path: string, before: BigIntStats, storing: Storing): Promise<Cid> {
  const { source, cache, options } = storing;
  const { store, now } = options;
  const startedAt = now();
  const { id, bytes } = await store.putFile(path).catch((error: unknown) => {
    throw refusal(error, path);
  });
  const after = await looksOf(path);
  const isSame =
    before.ino === after.ino &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs;
  if (!isSame || BigInt(bytes) !== after.size)
    throw new MfError("SOURCE_CHANGED", { file: path, source });
  cache.set(path, after, { id, now: startedAt });
  return id;
}

async function looksOf(path: string): Promise<BigIntStats> {
  return stat(path, { bigint: true }).catch((error: unknown) => {
    throw refusal(error, path, "gone since it was found");
  });
}
