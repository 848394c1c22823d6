/**
 * A pack from a stranger, checked whole before anything of it is taken: names and sizes, every hash, the journal's form, that each task
 * has the fact which the journal names, and that what is signed was signed so.
 */
import { createHash } from "node:crypto";
import { parseCid } from "../../artifact/cid.ts";
import { decodeManifest } from "../../artifact/manifest.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import { isMfError } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { taskText, type Cid } from "../../model/ids.ts";
import type { JournalEntry } from "../../model/journal.ts";
import { isOnPage, PAGE_BYTES_MAX, readPage } from "../../trust/fact-page.ts";
import {
  PACK_ENTRIES_MAX,
  PACK_MANIFEST_NAME,
  PACK_RECORDS_BYTES_MAX,
  readPackManifest,
  readPackedEntry,
  readPackedFact,
  type PackEntry,
  type PackManifest,
} from "../../wire/pack-schemas.ts";
import { tarEntries, type TarEntry } from "./tar.ts";
import type { WindowedFile } from "./windowed-file.ts";

export interface ReadPack {
  readonly manifest: PackManifest;
  readonly journal: readonly JournalEntry[];
  readonly facts: readonly Fact[];
  readonly contents: readonly PackedContent[];
}

/** A content, or its pieces: where they are in the file. */
export interface PackedContent {
  readonly id: Cid;
  readonly bytes: number;
  readonly offset: number;
  /** Of content that is cut into chunks: their sizes and hashes are in it. */
  readonly manifest?: Uint8Array;
}

/** What is read at once of a content that is not cut: pieces larger than this are refused. */
export const PIECE_BYTES_MAX = 4 * 1024 * 1024;
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;

type Progress = (progress: { readonly bytes: number; readonly total: number }) => void;

/** @throws RangeError saying what is wrong */
export async function readPack(file: WindowedFile, onProgress?: Progress): Promise<ReadPack> {
  const entries: TarEntry[] = [];
  for await (const entry of tarEntries(file)) {
    entries.push(entry);
    if (entries.length > PACK_ENTRIES_MAX + 1) throw new RangeError("it has too many entries");
  }
  const [first, ...rest] = entries;
  if (first?.name !== PACK_MANIFEST_NAME)
    throw new RangeError(`it does not begin with ${PACK_MANIFEST_NAME}: it is no pack`);
  const manifest = readPackManifest(json(await bytesAt(file, first), "its manifest"));
  checkNames(manifest, rest);
  const [journalAt, factsAt, ...contentsAt] = rest;
  const [journalEntry, factsEntry] = manifest.entries;
  const journal = parsed(await recordsAt(file, journalAt, journalEntry), readPackedEntry);
  const facts = parsed(await recordsAt(file, factsAt, factsEntry), readPackedFact);
  const contents = await contentsOf(file, contentsAt, onProgress);
  checkJournal(manifest, journal);
  checkFacts(journal, facts);
  await checkPages(file, facts, contents);
  return { manifest, journal, facts, contents };
}

/** The pieces of a content, each checked against its hash. @throws RangeError */
export async function* piecesOf(
  file: WindowedFile,
  content: PackedContent,
): AsyncGenerator<{ readonly data: Uint8Array; readonly digest: string }> {
  const { id, manifest, bytes } = content;
  const chunks =
    manifest === undefined
      ? [{ digest: parseCid(id).digest, bytes }]
      : decodeManifest(manifest).chunks.map((chunk) => {
          return { digest: parseCid(chunk.id).digest, bytes: chunk.bytes };
        });
  let { offset } = content;
  for (const chunk of chunks) {
    const data = await bytesAt(file, { offset, bytes: chunk.bytes });
    if (hashOf(data) !== chunk.digest) throw new RangeError(`${id} does not hash to its id`);
    yield { data, digest: chunk.digest };
    offset += chunk.bytes;
  }
}

function checkNames({ entries }: PackManifest, found: readonly TarEntry[]): void {
  const [journal, facts] = entries;
  const isRight =
    journal?.name === "journal.ndjson" &&
    facts?.name === "facts.ndjson" &&
    entries.length === found.length &&
    entries.every(({ name, bytes }, at) => found[at]?.name === name && found[at]?.bytes === bytes);
  if (!isRight) throw new RangeError("its entries are not those that its manifest lists");
}

async function recordsAt(
  file: WindowedFile,
  at: TarEntry | undefined,
  entry: PackEntry | undefined,
): Promise<Uint8Array> {
  if (at === undefined || entry === undefined || at.bytes > PACK_RECORDS_BYTES_MAX)
    throw new RangeError("its records are missing or too large");
  const data = await bytesAt(file, at);
  if (hashOf(data) !== entry.sha256)
    throw new RangeError(`${at.name} does not hash to what its manifest says`);
  return data;
}

function parsed<T>(data: Uint8Array, read: (value: unknown) => T): T[] {
  const values: T[] = [];
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new RangeError("its records end in the middle");
    values.push(read(json(bytes.subarray(at, end), "a record")));
    at = end + 1;
  }
  return values;
}

async function contentsOf(
  file: WindowedFile,
  entries: readonly TarEntry[],
  onProgress: Progress | undefined,
): Promise<PackedContent[]> {
  const contents: PackedContent[] = [];
  const seen = new Set<string>();
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  let manifest: { readonly id: string; readonly data: Uint8Array } | undefined;
  let bytes = 0;
  for (const entry of entries) {
    const [folder, id = ""] = entry.name.split("/");
    if (folder === "manifests" && manifest === undefined && entry.bytes <= MANIFEST_BYTES_MAX) {
      manifest = { id, data: await bytesAt(file, entry) };
      continue;
    }
    if (folder !== "contents" || seen.has(id)) throw new RangeError(`${entry.name} is no content`);
    seen.add(id);
    const content = contentAt(id, entry, manifest);
    manifest = undefined;
    contents.push(content);
    for await (const piece of piecesOf(file, content)) {
      bytes += piece.data.length;
      onProgress?.({ bytes, total });
    }
  }
  if (manifest !== undefined) throw new RangeError("a manifest without its content");
  return contents;
}

function contentAt(
  id: string,
  { bytes, offset }: TarEntry,
  manifest: { readonly id: string; readonly data: Uint8Array } | undefined,
): PackedContent {
  const { codec, digest } = checked(() => parseCid(id));
  const content = { id: id as Cid, bytes, offset };
  if (codec !== "dag-json") {
    if (manifest !== undefined || bytes > PIECE_BYTES_MAX)
      throw new RangeError(`${id} is not cut as its id says`);
    return content;
  }
  if (manifest?.id !== id || hashOf(manifest.data) !== digest)
    throw new RangeError(`${id} comes without its manifest`);
  const { bytes: whole } = checked(() => decodeManifest(manifest.data));
  if (whole !== bytes) throw new RangeError(`${id} has another size than its manifest says`);
  return { ...content, manifest: manifest.data };
}

function checkJournal({ run, summary }: PackManifest, journal: readonly JournalEntry[]): void {
  const [first] = journal;
  const last = journal.at(-1);
  const isOfRun = summary.run.flow === run.flow && summary.run.id === run.id;
  const isWhole = first?.t === "run-started" && last?.t === "run-finished";
  if (!isOfRun || !isWhole || last.state !== summary.state)
    throw new RangeError("its journal is not that of a whole run");
  const { user, file, bundleId } = summary;
  const isSame = first.user === user && first.file === file && first.bundleId === bundleId;
  if (!isSame || first.at !== summary.createdAt)
    throw new RangeError("its row in the list of runs says other things than its journal");
}

function checkFacts(journal: readonly JournalEntry[], facts: readonly Fact[]): void {
  const named = new Map<string, { readonly key: string; readonly result: string | undefined }>();
  for (const entry of journal)
    if (entry.t === "tasks-succeeded")
      for (const task of entry.tasks)
        named.set(taskText(task), { key: task.memoKey, result: task.result });
  const wanted = [...named.values()];
  const known = new Set(
    facts.flatMap((fact) => [fact.memoKey, `${fact.memoKey}.${resultIdOf(fact)}`]),
  );
  const isThere = wanted.every(({ key, result }) =>
    known.has(result === undefined ? key : `${key}.${result}`),
  );
  const keys = new Set(wanted.map(({ key }) => key));
  if (!isThere || !facts.every(({ memoKey }) => keys.has(memoKey)))
    throw new RangeError("its facts are not those that its journal names");
}

/** Who signed is told by `mf verify`; that the signature is good is a condition. */
async function checkPages(
  file: WindowedFile,
  facts: readonly Fact[],
  contents: readonly PackedContent[],
): Promise<void> {
  const places = new Map(contents.map((content) => [content.id, content]));
  const pages = new Map<Cid, ReturnType<typeof readPage>>();
  for (const fact of facts) {
    if (fact.page === undefined) continue;
    if (!pages.has(fact.page)) {
      const place = places.get(fact.page);
      if (place === undefined || place.bytes > PAGE_BYTES_MAX)
        throw new RangeError(`the page that vouches for ${fact.step} is not in it`);
      pages.set(fact.page, readPage(await bytesAt(file, place)));
    }
    const page = pages.get(fact.page);
    if (page === undefined || !isOnPage(page, fact))
      throw new RangeError(`a fact of ${fact.step} is not the one that was signed`);
  }
}

export async function bytesAt(
  file: WindowedFile,
  { offset, bytes }: Pick<TarEntry, "offset" | "bytes">,
): Promise<Uint8Array> {
  if (bytes > PACK_RECORDS_BYTES_MAX) throw new RangeError("an entry of it is too large");
  return file.read(offset, bytes);
}

function json(data: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    throw new RangeError(`${what} is no JSON`);
  }
}

function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isMfError(error)) throw error;
    throw new RangeError(`a content of it is malformed (${error.code})`, { cause: error });
  }
}

function hashOf(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
