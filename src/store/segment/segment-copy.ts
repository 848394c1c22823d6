/** Copies chunks out of segments into a new one, verified as they are read: what compaction keeps. Synchronous, for the store's thread. */
import { closeSync, openSync, readSync } from "node:fs";
import { digestOf } from "../../artifact/cid.ts";
import { readRecordHeader, RECORD_BYTES_MAX, RECORD_HEADER_BYTES } from "./segment-format.ts";
import { SegmentWriter, type FinishedSegment } from "./segment-writer.ts";

export interface ChunkPlace {
  readonly file: string;
  /** sha-256 in hex. */
  readonly digest: string;
  readonly offset: number;
  readonly bytes: number;
}

/** The new segment, fsynced; a chunk that is not what its place says is left out. */
export function copySegment(path: string, places: readonly ChunkPlace[]): FinishedSegment {
  const writer = new SegmentWriter(path);
  const files = new Map<string, number | undefined>();
  try {
    for (const place of places) {
      if (!files.has(place.file)) files.set(place.file, opened(place.file));
      const fd = files.get(place.file);
      if (fd !== undefined) copyOne(writer, fd, place);
    }
    return writer.finish({ sync: true });
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    for (const fd of files.values()) if (fd !== undefined) closeSync(fd);
  }
}

function opened(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch {
    return undefined;
  }
}

function copyOne(writer: SegmentWriter, fd: number, { digest, offset, bytes }: ChunkPlace): void {
  const start = offset - RECORD_HEADER_BYTES;
  if (start < 0 || bytes > RECORD_BYTES_MAX) return;
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + bytes);
  for (let at = 0; at < record.length;) {
    const got = readSync(fd, record, at, record.length - at, start + at);
    if (got === 0) return;
    at += got;
  }
  const header = readRecordHeader(record.subarray(0, RECORD_HEADER_BYTES), start);
  const data = record.subarray(RECORD_HEADER_BYTES);
  const found = digestOf(data);
  if (header?.digest !== digest || header.bytes !== bytes || found.toString("hex") !== digest)
    return;
  writer.appendHashed(header.codec, found, data);
}
