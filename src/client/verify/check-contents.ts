/** Contents against their ids, piece by piece: memory is bounded by the largest chunk. */
import { cidFromDigest, digestHexOf, parseCid } from "../../artifact/cid.ts";
import { encodeManifest } from "../../artifact/manifest.ts";
import { isMfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { ContentLocation } from "../../store/ports.ts";
import { streamLocation } from "../../store/segment/segment-reader.ts";
import type { Records } from "../records.ts";
import type { RunContent } from "../run-contents.ts";
import type { Findings } from "./verify-report.ts";

export interface ContentsFound {
  readonly contents: number;
  readonly bytes: number;
  readonly missing: readonly RunContent[];
}

export interface ContentsProgress {
  readonly done: number;
  readonly total: number;
  readonly bytes: number;
}

export interface ContentCheckOptions {
  readonly findings: Findings;
  /** Only whether they are there. */
  readonly isQuick: boolean;
  readonly onProgress?: (progress: ContentsProgress) => void;
}

/** Located, and in a mesh brought, this many at a time. */
const BATCH = 256;

export async function checkContents(
  records: Records,
  contents: readonly RunContent[],
  { findings, isQuick, onProgress }: ContentCheckOptions,
): Promise<ContentsFound> {
  const missing: RunContent[] = [];
  let bytes = 0;
  for (let at = 0; at < contents.length; at += BATCH) {
    const page = contents.slice(at, at + BATCH);
    const places = await records.places(page.map(({ id }) => id));
    for (const [position, content] of page.entries()) {
      const place = places[position];
      if (place === undefined) missing.push(content);
      else if (!isQuick) bytes += checkContent(content, place, { findings, missing });
    }
    onProgress?.({ done: at + page.length, total: contents.length, bytes });
  }
  return { contents: contents.length, bytes, missing };
}

function checkContent(
  content: RunContent,
  place: ContentLocation,
  to: { readonly findings: Findings; readonly missing: RunContent[] },
): number {
  const { id, where } = content;
  try {
    if (isOf(id, place)) {
      let bytes = 0;
      // Each piece is hashed as it is read.
      for (const piece of streamLocation(place)) bytes += piece.length;
      return bytes;
    }
    to.findings.add("content-differs", where, `what is stored as ${id} does not hash to it`);
  } catch (error) {
    if (isMfError(error, "CONTENT_MISSING")) to.missing.push(content);
    else if (isMfError(error, "CONTENT_MISMATCH"))
      to.findings.add("content-differs", where, `what is stored as ${id} does not hash to it`);
    else throw error;
  }
  return 0;
}

/** Whether the pieces' digests are those that the id stands for; the pieces are not read. @throws MfError CONTENT_ID_INVALID */
export function isOf(id: Cid, place: ContentLocation): boolean {
  const { codec, digest } = parseCid(id);
  if ("inline" in place) return digestHexOf(place.inline) === digest;
  if (codec !== "dag-json") return place.parts.length === 1 && place.parts[0]?.digest === digest;
  const chunks = place.parts.map((part) => {
    return { id: cidFromDigest("raw", part.digest), bytes: part.bytes };
  });
  return (["raw", "messagepack"] as const).some(
    (whole) => encodeManifest({ v: 1, codec: whole, bytes: place.bytes, chunks }).id === id,
  );
}
