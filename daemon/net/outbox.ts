/**
 * What waits to be sent to one peer, and what goes next: small frames in their order, many in one send, by turns with one
 * piece of the big frame in front, so that neither waits long for the other.
 */
import { EMPTY, type WireFrame } from "./frame.ts";
import { encodeFrame, encodePieces } from "./frame-codec.ts";
import { PIECE_BYTES, SEND_BYTES } from "./net-limits.ts";

/** What a queued frame costs beside its bytes: objects, slots of the queue. */
const FRAME_OVERHEAD_BYTES = 64;

export class Outbox {
  readonly #small = new Row();
  readonly #pieces = new Row();
  #isPieceNext = false;

  /** A big notice stays in the row of small frames: notices of one peer keep their order. */
  add(frame: WireFrame): void {
    const mayBePieces = frame.k === "request" || frame.k === "answer";
    if (!mayBePieces || frame.body.length <= PIECE_BYTES) this.#small.push(encodeFrame(frame));
    else for (const piece of encodePieces(frame, PIECE_BYTES)) this.#pieces.push(piece);
  }

  /** Bytes that wait, with their overhead. */
  get queuedBytes(): number {
    return this.#small.bytes + this.#pieces.bytes;
  }

  get isEmpty(): boolean {
    return this.queuedBytes === 0;
  }

  /** The next bytes to send, empty where nothing waits. */
  take(): Uint8Array {
    const isPiece = this.#pieces.bytes > 0 && (this.#isPieceNext || this.#small.bytes === 0);
    this.#isPieceNext = !isPiece;
    return isPiece ? (this.#pieces.shift() ?? EMPTY) : this.#takeSmall();
  }

  #takeSmall(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      if (bytes > 0 && bytes + this.#small.nextBytes > SEND_BYTES) break;
      const next = this.#small.shift();
      if (next === undefined) break;
      parts.push(next);
      bytes += next.length;
    }
    const [first = EMPTY] = parts;
    return parts.length > 1 ? Buffer.concat(parts, bytes) : first;
  }
}

/** First in, first out; what left makes room in big steps, since shifting an array one by one would cost a copy each. */
class Row {
  bytes = 0;
  #frames: Uint8Array[] = [];
  #at = 0;

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.bytes += frame.length + FRAME_OVERHEAD_BYTES;
  }

  shift(): Uint8Array | undefined {
    const frame = this.#frames[this.#at];
    if (frame === undefined) return undefined;
    this.#at++;
    this.bytes -= frame.length + FRAME_OVERHEAD_BYTES;
    if (this.#at * 2 >= this.#frames.length) {
      this.#frames = this.#frames.slice(this.#at);
      this.#at = 0;
    }
    return frame;
  }

  get nextBytes(): number {
    return this.#frames[this.#at]?.length ?? 0;
  }
}
