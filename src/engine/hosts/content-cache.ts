/** Large inputs of a host, read and verified by one thread and shared by all; the oldest go when there are too many. */
import { CONTENT_CACHE_BYTES_MAX } from "./hosts-limits.ts";

type Taker = (data: SharedArrayBuffer | undefined) => void;

export class ContentCache {
  readonly #kept = new Map<string, SharedArrayBuffer>();
  readonly #waiting = new Map<string, Taker[]>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined to the first who asks: it reads the content and gives it. */
  take(content: string, taker: Taker): void {
    const known = this.#kept.get(content);
    const waiting = this.#waiting.get(content);
    if (known !== undefined) return taker(known);
    if (waiting !== undefined) return void waiting.push(taker);
    this.#waiting.set(content, []);
    taker(undefined);
  }

  /** Without data the reader failed: the next who waits tries. */
  give(content: string, data: SharedArrayBuffer | undefined): void {
    const waiting = this.#waiting.get(content) ?? [];
    this.#waiting.delete(content);
    if (data !== undefined) this.#keep(content, data);
    for (const taker of waiting) taker(data);
  }

  #keep(content: string, data: SharedArrayBuffer): void {
    this.#kept.set(content, data);
    this.#bytes += data.byteLength;
    for (const [id, old] of this.#kept) {
      if (this.#bytes <= CONTENT_CACHE_BYTES_MAX) return;
      this.#kept.delete(id);
      this.#bytes -= old.byteLength;
    }
  }
}
