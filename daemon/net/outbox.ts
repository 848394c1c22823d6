/**
 * What waits to be sent to one peer, and what goes next: small frames in their order, many in one send; then one piece of the big
 * frame in front, so that neither waits long for the other.
 */
import { EMPTY, type WireFrame } from "./frame.ts";
import { encodeFrame } from "./frame-codec.ts";
import { PIECE_BYTES, SEND_BYTES } from "./net-limits.ts";

/** What a queued frame costs beside its bytes: objects, slots of the queue. */
const FRAME_OVERHEAD_BYTES = 64;

export class Outbox {
  /** Bytes that wait, with their overhead. */
  queuedBytes = 0;
  #small: Uint8Array[] = [];
  #smallAt = 0;
  #big: Uint8Array[] = [];
  #bigAt = 0;
  /** How much of the big frame in front is sent. */
  #bigSent = 0;

  /** A big notice stays in the row of small frames: notices of one peer keep their order. */
  add(frame: WireFrame): void {
    const data = encodeFrame(frame);
    this.queuedBytes += data.length + FRAME_OVERHEAD_BYTES;
    const isBig = data.length > PIECE_BYTES && (frame.k === "request" || frame.k === "answer");
    (isBig ? this.#big : this.#small).push(data);
  }

  get isEmpty(): boolean {
    return this.queuedBytes === 0;
  }

  /** The next bytes to send, empty where nothing waits. */
  take(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for (;;) {
      const next = this.#small[this.#smallAt];
      if (next === undefined || (bytes > 0 && bytes + next.length > SEND_BYTES)) break;
      parts.push(next);
      bytes += next.length;
      this.#smallAt++;
      this.queuedBytes -= next.length + FRAME_OVERHEAD_BYTES;
    }
    const piece = this.#takePiece();
    if (piece !== undefined) parts.push(piece);
    this.#compact();
    const [only] = parts;
    if (only === undefined) return EMPTY;
    return parts.length === 1 ? only : Buffer.concat(parts);
  }

  #takePiece(): Uint8Array | undefined {
    const big = this.#big[this.#bigAt];
    if (big === undefined) return undefined;
    const body = big.subarray(this.#bigSent, this.#bigSent + PIECE_BYTES);
    this.#bigSent += body.length;
    this.queuedBytes -= body.length;
    if (this.#bigSent === big.length) {
      this.#bigAt++;
      this.#bigSent = 0;
      this.queuedBytes -= FRAME_OVERHEAD_BYTES;
    }
    return encodeFrame({ k: "piece", id: 0, name: "", body });
  }

  /** Sent frames leave the arrays in big steps: shifting one by one would cost a copy each. */
  #compact(): void {
    if (this.#smallAt > 0 && this.#smallAt * 2 >= this.#small.length) {
      this.#small = this.#small.slice(this.#smallAt);
      this.#smallAt = 0;
    }
    if (this.#bigAt > 0) {
      this.#big = this.#big.slice(this.#bigAt);
      this.#bigAt = 0;
    }
  }
}
