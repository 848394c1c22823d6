/** A pack into the store of this home: read and checked whole, then contents, then facts, then the run. The same pack twice is one run. */
import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseCid } from "../../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import { runText } from "../../model/ids.ts";
import type { JournalEntry } from "../../model/journal.ts";
import { canonicalJson } from "../../std/canonical-json.ts";
import type { InlineContent } from "../../store/ports.ts";
import { SegmentWriter } from "../../store/segment/segment-writer.ts";
import { PART_ITEMS_MAX } from "../../wire/pack-schemas.ts";
import { wireEntry } from "../../wire/wire-entry.ts";
import type { Records } from "../records.ts";
import { adoptedScratchName, type AdoptedPart } from "./adopt.ts";
import { bytesAt, piecesOf, readPack, type PackedContent, type ReadPack } from "./read-pack.ts";
import { WindowedFile } from "./windowed-file.ts";

export interface ImportTarget {
  readonly records: Records;
  /** Of the home: whoever holds the store takes segments from there. */
  readonly scratchDir: string;
  readonly now: number;
  adopt(part: AdoptedPart): Promise<void>;
}

export interface Imported {
  readonly run: string;
  readonly state: string;
  readonly tasks: number;
  readonly contents: number;
  readonly hasData: boolean;
  /** Contents of the run that the pack does not have. */
  readonly absent: number;
  /** False where that very run was here. */
  readonly isNew: boolean;
  /** True where the run was here, and what it lacked of its data is now. */
  readonly isCompleted: boolean;
}

/** Of one segment, and of the small contents of one part. */
const SEGMENT_BYTES_MAX = 256 * 1024 * 1024;
const INLINE_PART_BYTES_MAX = 256 * 1024;
const JOURNAL_PART_BYTES_MAX = 512 * 1024;

type Progress = (
  what: string,
  progress: { readonly bytes: number; readonly total: number },
) => void;

/** @throws MfError PACK_INVALID, PACK_CONFLICT, STORE_FULL; what the system says of the file as it is */
export async function importPack(
  path: string,
  target: ImportTarget,
  onProgress: Progress = () => undefined,
): Promise<Imported> {
  const handle = await open(path, "r");
  try {
    const file = new WindowedFile(handle, (await handle.stat()).size);
    const pack = await readPack(file, (progress) => onProgress("checking", progress));
    const { manifest, facts } = pack;
    const isNew = await isUnknown(pack, path, target.records);
    const isCompleted = !isNew && (await lacksData(pack, target.records));
    if (isNew || isCompleted) {
      await takeContents(file, pack.contents, { target, onProgress });
      for (let at = 0; at < facts.length; at += PART_ITEMS_MAX)
        await target.adopt({ facts: facts.slice(at, at + PART_ITEMS_MAX) });
    }
    if (isNew) await takeRun(pack, target);
    return {
      run: runText(manifest.run),
      state: manifest.summary.state,
      tasks: facts.length,
      contents: pack.contents.length,
      hasData: manifest.hasData,
      absent: manifest.absent,
      isNew,
      isCompleted,
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new MfError("PACK_INVALID", { file: path, reason: error.message }, { cause: error });
  } finally {
    await handle.close();
  }
}

/** @throws MfError PACK_CONFLICT where another run of that name is here */
async function isUnknown(
  { manifest, journal }: ReadPack,
  file: string,
  records: Records,
): Promise<boolean> {
  let known: readonly JournalEntry[];
  try {
    known = await records.journal(manifest.run);
  } catch (error) {
    if (isMfError(error, "RUN_NOT_FOUND")) return true;
    throw error;
  }
  const said = (entries: readonly JournalEntry[]): string =>
    entries.map((entry) => canonicalJson(wireEntry(entry))).join("\n");
  if (said(known) === said(journal)) return false;
  throw new MfError("PACK_CONFLICT", { run: runText(manifest.run), file });
}

/** A pack with data after one without: the run is known, its data is not here. */
async function lacksData({ contents }: ReadPack, records: Records): Promise<boolean> {
  const places = await records.places(contents.map(({ id }) => id));
  return places.includes(undefined);
}

async function takeContents(
  file: WindowedFile,
  contents: readonly PackedContent[],
  { target, onProgress }: { readonly target: ImportTarget; readonly onProgress: Progress },
): Promise<void> {
  const total = contents.reduce((sum, { bytes }) => sum + bytes, 0);
  const segments = new ImportedSegments(target);
  let inline: InlineContent[] = [];
  let inlineBytes = 0;
  let bytes = 0;
  try {
    for (const content of contents) {
      if (content.bytes <= INLINE_BYTES_MAX && content.manifest === undefined) {
        inline.push({ id: content.id, data: await bytesAt(file, content) });
        inlineBytes += content.bytes;
      } else await segments.take(file, content);
      bytes += content.bytes;
      onProgress("storing", { bytes, total });
      const isFull = inlineBytes >= INLINE_PART_BYTES_MAX || inline.length >= PART_ITEMS_MAX;
      if (!isFull) continue;
      await target.adopt({ inline });
      inline = [];
      inlineBytes = 0;
    }
    if (inline.length > 0) await target.adopt({ inline });
    await segments.flush();
  } catch (error) {
    await segments.abandon();
    throw error;
  }
}

/** Large contents, piece by piece into segments that the store takes over as they fill. */
class ImportedSegments {
  readonly #target: ImportTarget;
  readonly #prefix = randomBytes(4).toString("hex");
  #count = 0;
  #bytes = 0;
  #open: { readonly name: string; readonly writer: SegmentWriter } | undefined;

  constructor(target: ImportTarget) {
    this.#target = target;
  }

  async take(file: WindowedFile, content: PackedContent): Promise<void> {
    const codec = content.manifest === undefined ? parseCid(content.id).codec : "raw";
    for await (const { data, digest } of piecesOf(file, content)) {
      this.#writer().appendHashed(codec, Buffer.from(digest, "hex"), data);
      this.#bytes += data.length;
      if (this.#bytes >= SEGMENT_BYTES_MAX) await this.flush();
    }
    if (content.manifest !== undefined) this.#writer().append("dag-json", content.manifest);
  }

  async flush(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#bytes = 0;
    open.writer.finish();
    try {
      await this.#target.adopt({ scratch: [open.name] });
    } catch (error) {
      await rm(join(this.#target.scratchDir, open.name), { force: true });
      throw error;
    }
  }

  async abandon(): Promise<void> {
    this.#open?.writer.abandon();
    this.#open = undefined;
  }

  #writer(): SegmentWriter {
    if (this.#open === undefined) {
      const name = adoptedScratchName(this.#prefix, this.#count++);
      this.#open = { name, writer: new SegmentWriter(join(this.#target.scratchDir, name)) };
    }
    return this.#open.writer;
  }
}

/** The journal in parts, then the row: until then, the run is not there. */
async function takeRun({ manifest, journal }: ReadPack, target: ImportTarget): Promise<void> {
  const { run, summary, hasData } = manifest;
  let from = 0;
  while (from < journal.length) {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    for (const entry of journal.slice(from)) {
      bytes += JSON.stringify(entry).length;
      if (entries.length > 0 && bytes > JOURNAL_PART_BYTES_MAX) break;
      if (entries.length === PART_ITEMS_MAX) break;
      entries.push(entry);
    }
    await target.adopt({ journal: { run, entries, from } });
    from += entries.length;
  }
  await target.adopt({ summary: { ...summary, pid: 0, imported: { at: target.now, hasData } } });
}
