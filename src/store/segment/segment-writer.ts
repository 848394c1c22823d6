/** Writes one segment file, synchronously: used by the store's own thread and by step hosts' workers for their scratch segments. */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { cidFromDigest, digestOf, type Codec } from "../../artifact/cid.ts";
import { CHUNK_BYTES_MAX, CHUNKED_OVER_BYTES, chunkLength } from "../../artifact/chunker.ts";
import { putPieces, type ContentSink } from "../../artifact/content.ts";
import { encodeManifest, type ManifestChunk } from "../../artifact/manifest.ts";
import type { Cid } from "../../model/ids.ts";
import { assert } from "../../std/assert.ts";
import {
  paddingAfter,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  segmentHeader,
  writeRecordHeader,
  type SegmentRecord,
} from "./segment-format.ts";

/** Records are gathered up to this before they are written. */
const BUFFER_BYTES = 256 * 1024;
/** putFile reads this much ahead, so that a cut never waits for bytes. */
const WINDOW_BYTES = 4 * CHUNK_BYTES_MAX;

export interface FinishedSegment {
  readonly file: string;
  readonly bytes: number;
  readonly records: readonly SegmentRecord[];
}

export class SegmentWriter implements ContentSink {
  readonly path: string;
  #records: SegmentRecord[] = [];
  readonly #digests = new Set<string>();
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #fd: number;
  #buffered = 0;
  #bytes = SEGMENT_HEADER_BYTES;
  /** Given to the system, as far as whole writes went. */
  #flushed = 0;

  /** Creates the file; it must not exist. */
  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "wx");
    segmentHeader().copy(this.#buffer);
    this.#buffered = SEGMENT_HEADER_BYTES;
  }

  get records(): readonly SegmentRecord[] {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** One piece as one record (at most RECORD_BYTES_MAX); written once however often it is appended. */
  append(codec: Codec, data: Uint8Array): Cid {
    const digest = digestOf(data);
    this.appendHashed(codec, digest, data);
    return cidFromDigest(codec, digest);
  }

  /** A piece whose sha-256 the caller has just computed. */
  appendHashed(codec: Codec, digest: Buffer, data: Uint8Array): void {
    assert(data.length <= RECORD_BYTES_MAX, "a record within its limit");
    const hex = digest.toString("hex");
    if (this.#digests.has(hex)) return;
    this.#write(codec, digest, data);
    this.#digests.add(hex);
    const offset = this.#bytes + RECORD_HEADER_BYTES;
    this.#records.push({ codec, digest: hex, offset, bytes: data.length });
    this.#bytes = offset + data.length + paddingAfter(data.length);
  }

  /** Content of any size: one record, or chunks and a manifest. */
  putContent(codec: "raw" | "messagepack", data: Uint8Array): Cid {
    return putPieces(this, codec, data);
  }

  /** A file's bytes, without holding more than a window of them. The same id as putContent of them. */
  putFile(path: string, codec: "raw" | "messagepack" = "raw"): { id: Cid; bytes: number } {
    const fd = openSync(path, "r");
    try {
      return this.#putFrom(fd, codec);
    } finally {
      closeSync(fd);
    }
  }

  /** Writes what is gathered and closes. The store fsyncs when it adopts the segment; `sync` does so here. */
  finish(options: { sync?: boolean } = {}): FinishedSegment {
    try {
      this.#flush();
      if (options.sync === true) fsyncSync(this.#fd);
    } finally {
      this.#close();
    }
    return { file: this.path, bytes: this.#bytes, records: this.#records };
  }

  /** After a failed write: the records that are whole in the file, without what is torn. Undefined where there are none. */
  salvage(): FinishedSegment | undefined {
    this.#records = this.#records.filter(({ offset, bytes }) => {
      return offset + bytes + paddingAfter(bytes) <= this.#flushed;
    });
    const last = this.#records.at(-1);
    if (last === undefined) {
      this.abandon();
      return undefined;
    }
    this.#bytes = last.offset + last.bytes + paddingAfter(last.bytes);
    try {
      ftruncateSync(this.#fd, this.#bytes);
    } finally {
      this.#close();
    }
    return { file: this.path, bytes: this.#bytes, records: this.#records };
  }

  /** Closes and removes the file. */
  abandon(): void {
    this.#close();
    rmSync(this.path, { force: true });
  }

  #putFrom(fd: number, codec: "raw" | "messagepack"): { id: Cid; bytes: number } {
    const window = Buffer.allocUnsafe(WINDOW_BYTES);
    let held = readFull(fd, window, 0);
    if (held <= CHUNKED_OVER_BYTES) {
      return { id: this.append(codec, window.subarray(0, held)), bytes: held };
    }
    const chunks: ManifestChunk[] = [];
    let bytes = 0;
    let isAtEnd = held < WINDOW_BYTES;
    let at = 0;
    while (at < held) {
      if (!isAtEnd && held - at < CHUNK_BYTES_MAX) {
        window.copyWithin(0, at, held);
        held -= at;
        at = 0;
        held = readFull(fd, window, held);
        isAtEnd = held < WINDOW_BYTES;
      }
      const length = chunkLength(window.subarray(0, held), at);
      const id = this.append("raw", window.subarray(at, at + length));
      chunks.push({ id, bytes: length });
      bytes += length;
      at += length;
    }
    const manifest = encodeManifest({ v: 1, codec, bytes, chunks });
    return { id: this.append("dag-json", manifest.data), bytes };
  }

  #write(codec: Codec, digest: Uint8Array, data: Uint8Array): void {
    const padding = paddingAfter(data.length);
    if (this.#buffered + RECORD_HEADER_BYTES + 8 > BUFFER_BYTES) this.#flush();
    writeRecordHeader(this.#buffer.subarray(this.#buffered), codec, digest, data.length);
    this.#buffered += RECORD_HEADER_BYTES;
    if (this.#buffered + data.length + padding > BUFFER_BYTES) {
      this.#flush();
      if (data.length + padding > BUFFER_BYTES) {
        this.#writeOut(data);
        this.#pad(padding);
        return;
      }
    }
    this.#buffer.set(data, this.#buffered);
    this.#buffered += data.length;
    this.#pad(padding);
  }

  #pad(zeros: number): void {
    this.#buffer.fill(0, this.#buffered, this.#buffered + zeros);
    this.#buffered += zeros;
  }

  #flush(): void {
    this.#writeOut(this.#buffer.subarray(0, this.#buffered));
    this.#buffered = 0;
  }

  #writeOut(data: Uint8Array): void {
    writeFull(this.#fd, data);
    this.#flushed += data.length;
  }

  #close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/** A write may take less than it was given (a nearly full disk). */
function writeFull(fd: number, data: Uint8Array): void {
  for (let at = 0; at < data.length;) at += writeSync(fd, data, at, data.length - at);
}

/** Fills `into` from `from` on, as far as the file goes; where the bytes end. */
function readFull(fd: number, into: Buffer, from: number): number {
  let at = from;
  while (at < into.length) {
    const got = readSync(fd, into, at, into.length - at, null);
    if (got === 0) break;
    at += got;
  }
  return at;
}
