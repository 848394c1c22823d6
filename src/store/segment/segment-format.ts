/**
 * A segment file: a header, then records one after another, each a record header, the data, and zeros up to a multiple of 8.
 * Each record header carries its own check and the data's sha-256, so the file can be walked and verified with nothing else.
 */
import type { Codec } from "../../artifact/cid.ts";

export const SEGMENT_MAGIC = Buffer.from("mfseg\r\n\u001a", "latin1");
export const SEGMENT_VERSION = 1;
/** Magic, version (u32), zeros. */
export const SEGMENT_HEADER_BYTES = 16;
/** Marker u32, codec u8 and three zeros, length u64, sha-256, check u32, four zeros. */
export const RECORD_HEADER_BYTES = 56;
/** No writer makes longer records (content is cut long before): a longer length is damage. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;
const RECORD_MARKER = 0x6d66_7263;
const CODEC_CODES: readonly Codec[] = ["raw", "messagepack", "dag-json"];

/** One record: where its data is in its segment. */
export interface SegmentRecord {
  readonly codec: Codec;
  /** sha-256 in hex. */
  readonly digest: string;
  readonly offset: number;
  readonly bytes: number;
}

export function segmentHeader(): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(header);
  header.writeUInt32LE(SEGMENT_VERSION, 8);
  return header;
}

export function isSegmentHeader(header: Buffer): boolean {
  return header.equals(segmentHeader());
}

export function writeRecordHeader(
  into: Buffer,
  codec: Codec,
  digest: Uint8Array,
  bytes: number,
): void {
  into.fill(0, 0, RECORD_HEADER_BYTES);
  into.writeUInt32LE(RECORD_MARKER, 0);
  into[4] = CODEC_CODES.indexOf(codec);
  into.writeUIntLE(bytes, 8, 6);
  into.set(digest, 16);
  into.writeUInt32LE(checkOf(into), 48);
}

/** Undefined where the bytes are no whole record header. `at` is where the header begins in its file. */
export function readRecordHeader(header: Buffer, at: number): SegmentRecord | undefined {
  if (header.length < RECORD_HEADER_BYTES || header.readUInt32LE(0) !== RECORD_MARKER) return;
  if (header.readUInt32LE(48) !== checkOf(header)) return;
  const codec = CODEC_CODES[header[4] ?? 0xff];
  const bytes = header.readUIntLE(8, 6);
  if (codec === undefined || bytes > RECORD_BYTES_MAX) return;
  const digest = header.toString("hex", 16, 48);
  return { codec, digest, offset: at + RECORD_HEADER_BYTES, bytes };
}

/** Zeros after data of this length. */
export function paddingAfter(bytes: number): number {
  return (8 - (bytes % 8)) % 8;
}

/** FNV-1a over all before the check: tells a torn or flipped header from a real one. */
function checkOf(header: Buffer): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 48; i++) hash = Math.imul(hash ^ (header[i] ?? 0), 0x01000193);
  return hash >>> 0;
}
