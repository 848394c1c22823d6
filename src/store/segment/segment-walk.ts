/** Walks a segment file from its header to its end, hashing every record: to adopt a scratch segment, and to rebuild an index. */
import { closeSync, openSync, readSync } from "node:fs";
import { digestHexOf } from "../../artifact/cid.ts";
import {
  isSegmentHeader,
  paddingAfter,
  readRecordHeader,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentRecord,
} from "./segment-format.ts";

export interface WalkedSegment {
  /** Records whose data hashes to their digest. */
  readonly records: readonly SegmentRecord[];
  /** Records whose data does not. */
  readonly bad: readonly SegmentRecord[];
  /** Where the walk had to stop before the end of the file (a torn or damaged record header). */
  readonly damagedAt?: number;
  readonly bytes: number;
  /** The file is a segment of this format. */
  readonly isSegment: boolean;
}

export function walkSegment(file: string): WalkedSegment {
  const fd = openSync(file, "r");
  try {
    return walk(fd);
  } finally {
    closeSync(fd);
  }
}

function walk(fd: number): WalkedSegment {
  const records: SegmentRecord[] = [];
  const bad: SegmentRecord[] = [];
  // One piece of memory for all records: new pages for each cost as much as hashing half of it.
  let memory = Buffer.alloc(0);
  const first = readAt(fd, 0, Buffer.alloc(SEGMENT_HEADER_BYTES));
  if (!isSegmentHeader(first)) {
    return { records, bad, damagedAt: 0, bytes: first.length, isSegment: false };
  }
  let at = SEGMENT_HEADER_BYTES;
  for (;;) {
    const head = readAt(fd, at, Buffer.alloc(RECORD_HEADER_BYTES));
    if (head.length === 0) return { records, bad, bytes: at, isSegment: true };
    const record = readRecordHeader(head, at);
    if (record === undefined) return { records, bad, damagedAt: at, bytes: at, isSegment: true };
    const padding = paddingAfter(record.bytes);
    if (memory.length < record.bytes + padding) memory = Buffer.alloc(record.bytes + padding);
    const data = readAt(fd, record.offset, memory.subarray(0, record.bytes + padding));
    if (data.length < record.bytes + padding) {
      return { records, bad, damagedAt: at, bytes: at, isSegment: true };
    }
    const isWhole = digestHexOf(data.subarray(0, record.bytes)) === record.digest;
    (isWhole ? records : bad).push(record);
    at = record.offset + record.bytes + padding;
  }
}

/** What of `into` could be filled: not all of it where the file ends. */
function readAt(fd: number, position: number, into: Buffer): Buffer {
  let at = 0;
  while (at < into.length) {
    const got = readSync(fd, into, at, into.length - at, position + at);
    if (got === 0) break;
    at += got;
  }
  return into.subarray(0, at);
}
