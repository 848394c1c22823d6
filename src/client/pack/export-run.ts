/**
 * A run in one file: manifest, journal, facts, and its contents one by one. Contents are read and written in pieces, so memory is bounded
 * by the journal and the facts, not by the data. The same run gives the same bytes.
 */
import { randomBytes } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { digestHexOf, cidFromDigest, parseCid } from "../../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import { encodeManifest } from "../../artifact/manifest.ts";
import { MfError } from "../../model/errors.ts";
import { runText, type Cid, type RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import { canonicalJson } from "../../std/canonical-json.ts";
import { defined } from "../../std/assert.ts";
import type { ContentLocation } from "../../store/ports.ts";
import { streamLocation } from "../../store/segment/segment-reader.ts";
import {
  PACK_MANIFEST_NAME,
  PACK_RECORDS_BYTES_MAX,
  type PackEntry,
  type PackManifest,
} from "../../wire/pack-schemas.ts";
import { wireEntry } from "../../wire/wire-entry.ts";
import type { Records } from "../records.ts";
import { contentsOfRun, filesOfRun } from "../run-contents.ts";
import { isOf } from "../verify/check-contents.ts";
import { recordedRun, type RecordedRun } from "../verify/recorded-run.ts";
import { Findings } from "../verify/verify-report.ts";
import { TarWriter } from "./tar.ts";

export interface ExportOptions {
  /** False: contents too large for the index stay here. */
  readonly hasData: boolean;
  /** Of this program. */
  readonly version: string;
  readonly onProgress?: (progress: { readonly bytes: number; readonly total: number }) => void;
}

export interface Exported {
  readonly run: string;
  readonly contents: number;
  /** Of the file. */
  readonly bytes: number;
  /** Contents that are not in it: left out, or nowhere to be found. */
  readonly absent: number;
}

interface Packed {
  readonly id: Cid;
  readonly place: ContentLocation;
}

/** @throws MfError RUN_NOT_FOUND, RUN_UNFINISHED, RUN_DAMAGED; what the system says of the file as it is */
export async function exportRun(
  records: Records,
  summary: RunSummary,
  to: ExportOptions & { readonly file: string },
): Promise<Exported> {
  const { run } = summary;
  const recorded = await recordedWhole(records, run);
  if (recorded.state === "running")
    throw new MfError("RUN_UNFINISHED", { run: runText(run), state: summary.state });
  const { packed, absent } = await contentsToPack(records, recorded, to.hasData);
  const journal = lines(await journalOf(records, run));
  const facts = lines([...recorded.tasks.values()].flatMap(({ fact }) => fact ?? []));
  if (journal.length > PACK_RECORDS_BYTES_MAX || facts.length > PACK_RECORDS_BYTES_MAX)
    throw damaged(run, `its records are larger than ${PACK_RECORDS_BYTES_MAX} bytes`);
  const { imported: _imported, ...row } = summary;
  const manifest: PackManifest = {
    format: "meshflow-pack",
    v: 1,
    run,
    version: to.version,
    hasData: to.hasData,
    absent,
    // Its process is none of where it will be read.
    summary: { ...row, pid: 0 },
    entries: [
      recordEntry("journal.ndjson", journal),
      recordEntry("facts.ndjson", facts),
      ...packed.flatMap(contentEntries),
    ],
  };
  const bytes = await writeBeside(to.file, (file) =>
    writePack(file, { manifest, journal, facts, packed }, to),
  );
  return { run: runText(run), contents: packed.length, bytes, absent };
}

async function recordedWhole(records: Records, run: RunRef): Promise<RecordedRun> {
  const findings = new Findings();
  const recorded = await recordedRun(records, run, findings);
  const [problem] = findings.problems;
  if (recorded === undefined || problem !== undefined)
    throw damaged(run, `${problem?.kind ?? "journal-broken"}: ${problem?.detail ?? ""}`);
  return recorded;
}

/** Texts for people are cut to what an importer takes. */
async function journalOf(records: Records, run: RunRef): Promise<unknown[]> {
  return (await records.journal(run)).map(wireEntry);
}

async function contentsToPack(
  records: Records,
  recorded: RecordedRun,
  hasData: boolean,
): Promise<{ readonly packed: readonly Packed[]; readonly absent: number }> {
  const values = contentsOfRun(recorded);
  const pages = new Set(
    [...recorded.tasks.values()].flatMap(({ fact }) =>
      fact?.page === undefined ? [] : [fact.page],
    ),
  );
  const files = await filesOfRun(records, values);
  const ids = [...new Set([...[...values, ...files].map(({ id }) => id), ...pages])].sort();
  const places = await records.places(ids);
  const packed: Packed[] = [];
  for (const [position, id] of ids.entries()) {
    const place = places[position];
    if (place === undefined) continue;
    if (!isOf(id, place)) throw damaged(recorded.run, `${id} does not hash to its id`);
    const isSmall = sizeOf(place) <= INLINE_BYTES_MAX || id === recorded.started.packageId;
    if (hasData || isSmall) packed.push({ id, place });
  }
  return { packed, absent: ids.length - packed.length };
}

/** What is cut into chunks has its manifest before it: whose hash is the content's id. */
function contentEntries({ id, place }: Packed): PackEntry[] {
  const content = { name: `contents/${id}`, bytes: sizeOf(place) };
  const manifest = manifestOf(id, place);
  return manifest === undefined
    ? [content]
    : [{ name: `manifests/${id}`, bytes: manifest.length }, content];
}

function manifestOf(id: Cid, place: ContentLocation): Uint8Array | undefined {
  if ("inline" in place || parseCid(id).codec !== "dag-json") return undefined;
  const chunks = place.parts.map(({ digest, bytes }) => {
    return { id: cidFromDigest("raw", digest), bytes };
  });
  for (const codec of ["raw", "messagepack"] as const) {
    const manifest = encodeManifest({ v: 1, codec, bytes: place.bytes, chunks });
    if (manifest.id === id) return manifest.data;
  }
  return defined(undefined, "a content that hashes to its id has a manifest");
}

interface PackParts {
  readonly manifest: PackManifest;
  readonly journal: Uint8Array;
  readonly facts: Uint8Array;
  readonly packed: readonly Packed[];
}

async function writePack(
  file: FileHandle,
  { manifest, journal, facts, packed }: PackParts,
  { onProgress }: ExportOptions,
): Promise<void> {
  const tar = new TarWriter(file);
  await tar.add(PACK_MANIFEST_NAME, Buffer.from(`${canonicalJson(manifest)}\n`));
  await tar.add("journal.ndjson", journal);
  await tar.add("facts.ndjson", facts);
  const total = packed.reduce((sum, { place }) => sum + sizeOf(place), 0);
  let bytes = 0;
  for (const { id, place } of packed) {
    const chunks = manifestOf(id, place);
    if (chunks !== undefined) await tar.add(`manifests/${id}`, chunks);
    await tar.begin(`contents/${id}`, sizeOf(place));
    // Each piece is checked against its hash as it is read.
    for (const piece of streamLocation(place)) {
      await tar.write(piece);
      bytes += piece.length;
      onProgress?.({ bytes, total });
    }
  }
  await tar.end();
}

/** The file is there whole, or not at all. @returns its bytes */
async function writeBeside(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<number> {
  const beside = `${path}.${randomBytes(4).toString("hex")}.part`;
  const file = await open(beside, "wx");
  let bytes: number;
  try {
    await write(file);
    await file.sync();
    bytes = (await file.stat()).size;
  } catch (error) {
    await file.close();
    await rm(beside, { force: true });
    throw error;
  }
  await file.close();
  await rename(beside, path);
  return bytes;
}

function lines(values: readonly unknown[]): Uint8Array {
  return Buffer.concat(values.map((value) => Buffer.from(`${canonicalJson(value)}\n`)));
}

function recordEntry(name: string, data: Uint8Array): PackEntry {
  return { name, bytes: data.length, sha256: digestHexOf(data) };
}

function sizeOf(place: ContentLocation): number {
  return "inline" in place ? place.inline.length : place.bytes;
}

function damaged(run: RunRef, reason: string): MfError {
  return new MfError("RUN_DAMAGED", { run: runText(run), reason });
}
