/**
 * What is said on a lane. The side that fetches: how many pieces (u32), then their digests, 32 bytes each. The side that serves, for
 * each piece in that order: a status (u32), a length (u32), the bytes. All little endian.
 */
import { assert } from "../../src/std/assert.ts";
import { WINDOW_PIECES_MAX } from "./bulk-limits.ts";

export const DIGEST_BYTES = 32;
export const ANSWER_HEADER_BYTES = 8;

/** What the serving side says of a piece. */
export const PIECE_HERE = 0;
export const PIECE_MISSING = 1;

export function askFrame(digests: readonly string[]): Buffer {
  assert(digests.length > 0 && digests.length <= WINDOW_PIECES_MAX, "pieces within the window");
  const frame = Buffer.allocUnsafe(4 + digests.length * DIGEST_BYTES);
  frame.writeUInt32LE(digests.length, 0);
  for (const [i, digest] of digests.entries()) frame.write(digest, 4 + i * DIGEST_BYTES, "hex");
  return frame;
}

export function writeAnswerHeader(into: Buffer, status: number, bytes: number): void {
  into.writeUInt32LE(status, 0);
  into.writeUInt32LE(bytes, 4);
}

/** Puts asked digests together from whatever pieces the socket gives. Holds one frame at most. */
export class AskReader {
  #held = Buffer.alloc(0);

  /** The digests that are whole now; undefined where the bytes are no frame: the lane is closed. */
  feed(data: Uint8Array): string[] | undefined {
    let bytes = this.#held.length === 0 ? Buffer.from(data) : Buffer.concat([this.#held, data]);
    const digests: string[] = [];
    while (bytes.length >= 4) {
      const count = bytes.readUInt32LE(0);
      if (count === 0 || count > WINDOW_PIECES_MAX) return undefined;
      const end = 4 + count * DIGEST_BYTES;
      if (bytes.length < end) break;
      for (let at = 4; at < end; at += DIGEST_BYTES) {
        digests.push(bytes.toString("hex", at, at + DIGEST_BYTES));
      }
      bytes = bytes.subarray(end);
    }
    this.#held = Buffer.from(bytes);
    return digests;
  }
}

export interface AnswerSink {
  /** Where the bytes of the next piece go (exactly `bytes` long); undefined where that length is not acceptable. */
  begin(bytes: number): Buffer | undefined;
  /** The piece begun last is whole. */
  whole(data: Buffer): void;
  missing(): void;
}

/** Puts answered pieces together, straight into the buffers that the sink gives. */
export class AnswerReader {
  readonly #sink: AnswerSink;
  readonly #header = Buffer.alloc(ANSWER_HEADER_BYTES);
  #headed = 0;
  #piece: Buffer | undefined;
  #filled = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /** False where the bytes are no answer: the lane is closed. */
  feed(data: Uint8Array): boolean {
    for (let at = 0; at < data.length;) {
      if (this.#piece === undefined) {
        const take = Math.min(ANSWER_HEADER_BYTES - this.#headed, data.length - at);
        this.#header.set(data.subarray(at, at + take), this.#headed);
        this.#headed += take;
        at += take;
        if (this.#headed === ANSWER_HEADER_BYTES && !this.#begin()) return false;
        continue;
      }
      const take = Math.min(this.#piece.length - this.#filled, data.length - at);
      this.#piece.set(data.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#piece.length) this.#end(this.#piece);
    }
    return true;
  }

  #begin(): boolean {
    this.#headed = 0;
    const status = this.#header.readUInt32LE(0);
    const bytes = this.#header.readUInt32LE(4);
    if (status === PIECE_MISSING && bytes === 0) {
      this.#sink.missing();
      return true;
    }
    if (status !== PIECE_HERE) return false;
    const piece = this.#sink.begin(bytes);
    if (piece === undefined) return false;
    this.#filled = 0;
    if (bytes === 0) this.#sink.whole(piece);
    else this.#piece = piece;
    return true;
  }

  #end(piece: Buffer): void {
    this.#piece = undefined;
    this.#sink.whole(piece);
  }
}
