/** A pack into the store of this home: read and checked whole, then contents, then facts, then the run. The same pack twice is one run. */
import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseCid } from "../../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import { runText, type RunRef } from "../../model/ids.ts";
import type { JournalEntry } from "../../model/journal.ts";
import { isSet } from "../../model/mark.ts";
import { canonicalJson } from "../../std/canonical-json.ts";
import type { InlineContent } from "../../store/ports.ts";
import { SegmentWriter } from "../../store/segment/segment-writer.ts";
import { PART_ITEMS_MAX } from "../../wire/pack-schemas.ts";
import { wireEntry } from "../../wire/wire-entry.ts";
import type { MarkChange } from "../control/daemon-side.ts";
import type { Records } from "../records.ts";
import { adoptedScratchName, type AdoptedPart } from "./adopt.ts";
import { bytesAt, piecesOf, readPack, type PackedContent, type ReadPack } from "./read-pack.ts";
import { WindowedFile } from "./windowed-file.ts";

export interface ImportTarget {
  readonly records: Records;
  /** Of the home: whoever holds the store takes segments from there. */
  readonly scratchDir: string;
  readonly now: number;
  readonly user: string;
  adopt(part: AdoptedPart): Promise<void>;
  mark(changes: readonly MarkChange[]): Promise<void>;
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
  /** True where the run had been removed: it is back. */
  readonly isRestored: boolean;
}

/** Of one segment, and of the small contents of one part. */
const SEGMENT_BYTES_MAX = 256 * 1024 * 1024;
const INLINE_PART_BYTES_MAX = 256 * 1024;
const JOURNAL_PART_BYTES_MAX = 512 * 1024;
/** Where others collect or import the same meanwhile, it is looked again so often. */
const ROUNDS_MAX = 5;

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
    const isKnown = !(await isUnknown(pack, path, target.records));
    // Before anything is taken: a collection would have it for a removed run's.
    const isRestored = await restored(manifest.run, target);
    const isCompleted = isKnown && (await lacksData(pack, target.records));
    const taking = { target, onProgress };
    if (!isKnown || isCompleted) await takeData(file, pack, taking);
    const isNew = !isKnown && (await takeRun(pack, path, target));
    // What a collection that was under way took before the run's row was there; what is asked for now it spares.
    for (let round = 0; round < ROUNDS_MAX && (await lacksData(pack, target.records)); round++)
      await takeData(file, pack, taking);
    return {
      run: runText(manifest.run),
      state: manifest.summary.state,
      tasks: facts.length,
      contents: pack.contents.length,
      hasData: manifest.hasData,
      absent: manifest.absent,
      isNew,
      isCompleted,
      isRestored,
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

/** Who imports a run wants it back: a removal of it is taken back, as `mf rm --undo` does. */
async function restored(
  run: RunRef,
  { records, user, mark }: Pick<ImportTarget, "records" | "user" | "mark">,
): Promise<boolean> {
  const on = runText(run);
  const isRemoved = (await records.side.marks()).some(
    (known) => known.kind === "gone" && known.on === on && isSet(known),
  );
  if (isRemoved) await mark([{ kind: "gone", on, name: "", user }]);
  return isRemoved;
}

/** A pack with data after one without, or of a run that was collected: the run is known, its data is not here. */
async function lacksData({ contents, facts }: ReadPack, records: Records): Promise<boolean> {
  const places = await records.places(contents.map(({ id }) => id));
  if (places.includes(undefined)) return true;
  const refs = facts.map((fact) => ({ memoKey: fact.memoKey, result: resultIdOf(fact) }));
  return (await records.facts(refs)).includes(undefined);
}

interface Taking {
  readonly target: ImportTarget;
  readonly onProgress: Progress;
}

async function takeData(file: WindowedFile, pack: ReadPack, taking: Taking): Promise<void> {
  const { contents, facts } = pack;
  await takeContents(file, contents, taking);
  for (let at = 0; at < facts.length; at += PART_ITEMS_MAX)
    await taking.target.adopt({ facts: facts.slice(at, at + PART_ITEMS_MAX) });
}

async function takeContents(
  file: WindowedFile,
  contents: readonly PackedContent[],
  { target, onProgress }: Taking,
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

/** False where another import of the same pack was first. @throws MfError PACK_CONFLICT */
async function takeRun(pack: ReadPack, path: string, target: ImportTarget): Promise<boolean> {
  for (let round = 1; ; round++) {
    try {
      await adoptRun(pack, target);
      return true;
    } catch (error) {
      const isBeside = isMfError(error, "PACK_CONFLICT") || isMfError(error, "JOURNAL_HOLE");
      if (!isBeside) throw error;
      if (!(await isUnknown(pack, path, target.records))) return false;
      if (round === ROUNDS_MAX) throw error;
    }
  }
}

/** The journal in parts, then the row: until then, the run is not there. */
async function adoptRun({ manifest, journal }: ReadPack, target: ImportTarget): Promise<void> {
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
