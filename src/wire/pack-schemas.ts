/** What a pack (a run in one file) says of itself, its journal and its facts: read as a stranger's. */
import * as v from "valibot";
import type { Fact } from "../model/fact.ts";
import type { JournalEntry } from "../model/journal.ts";
import { journalEntrySchema } from "./journal-schemas.ts";
import { cid, count, fact, nameText, runRef, runSummary } from "./noun-schemas.ts";

/** The first entry of the file: which entries follow, in order, and what their bytes hash to. */
export const PACK_MANIFEST_NAME = "meshflow-pack.json";
/** Entries of one pack: more than a million contents. */
export const PACK_ENTRIES_MAX = 2_000_000;
/** Of the manifest, of the journal, and of all facts together. */
export const PACK_RECORDS_BYTES_MAX = 400 * 1024 * 1024;

/** Of one part that goes into the store at once. */
export const PART_ITEMS_MAX = 256;

const entry = v.object({
  name: v.pipe(v.string(), v.maxLength(100)),
  bytes: count,
  /** Hex; absent of contents, whose names are their hashes. */
  sha256: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});

const manifest = v.object({
  format: v.literal("meshflow-pack"),
  v: v.literal(1),
  run: runRef,
  /** Of the program that wrote it. */
  version: nameText,
  /** False where contents too large for the index were left out. */
  hasData: v.boolean(),
  /** Contents of the run that are not in the pack. */
  absent: count,
  summary: runSummary,
  entries: v.pipe(v.array(entry), v.maxLength(PACK_ENTRIES_MAX)),
});
export type PackManifest = v.InferOutput<typeof manifest>;
export type PackEntry = PackManifest["entries"][number];

/** @throws RangeError saying what is wrong */
export function readPackManifest(value: unknown): PackManifest {
  return read(manifest, value, "its manifest");
}

/** @throws RangeError saying what is wrong */
export function readPackedFact(value: unknown): Fact {
  return read(fact, value, "a fact");
}

/** @throws RangeError saying what is wrong */
export function readPackedEntry(value: unknown): JournalEntry {
  return read(journalEntrySchema, value, "a journal entry");
}

/** As it crosses the control socket; a row of the run is the last of all. */
const adoptedPart = v.object({
  facts: v.exactOptional(v.pipe(v.array(fact), v.maxLength(PART_ITEMS_MAX))),
  inline: v.exactOptional(
    v.pipe(
      v.array(
        v.object({ id: cid, data: v.custom<Uint8Array>((data) => data instanceof Uint8Array) }),
      ),
      v.maxLength(PART_ITEMS_MAX),
    ),
  ),
  scratch: v.exactOptional(v.pipe(v.array(nameText), v.maxLength(1))),
  journal: v.exactOptional(
    v.object({
      run: runRef,
      entries: v.pipe(v.array(journalEntrySchema), v.maxLength(PART_ITEMS_MAX)),
      from: count,
    }),
  ),
  summary: v.exactOptional(runSummary),
});

/** @throws RangeError saying what is wrong */
export function readAdoptedPart(value: unknown): v.InferOutput<typeof adoptedPart> {
  return read(adoptedPart, value, "a part of a pack");
}

function read<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue);
  throw new RangeError(
    `${what} is malformed (${path === null ? "" : `${path}: `}${issue.message})`,
  );
}
