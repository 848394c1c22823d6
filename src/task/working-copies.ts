/**
 * Large inputs as attempts get them: each attempt has a copy of its own, in memory that the attempt before it had for the same
 * content. Filling pages that are there costs a third of filling new ones, which is most of what a reader of 100 MB takes.
 */
import { SHARED_CONTENT_BYTES_MIN, WORKING_COPIES_BYTES_MAX } from "./task-limits.ts";

/** Taken before any step runs: steps may replace what globalThis holds. */
const clone = structuredClone;

/** Of one thread. */
export class WorkingCopies {
  /** What the last attempt had, by content. */
  #kept = new Map<string, ArrayBuffer>();
  #used = new Map<string, ArrayBuffer>();

  /** `data` in memory that nothing else refers to, for the running attempt to do with as it likes. */
  copyOf(content: string, data: Uint8Array): Uint8Array {
    if (data.length <= SHARED_CONTENT_BYTES_MIN || this.#used.has(content))
      return Uint8Array.from(data);
    const buffer = this.#kept.get(content) ?? new ArrayBuffer(data.length);
    this.#used.set(content, buffer);
    const copy = new Uint8Array(buffer);
    copy.set(data);
    return copy;
  }

  /** Takes the memory away from the attempt: a timer or a promise that it left behind finds its arrays empty. */
  endAttempt(): void {
    const used = this.#used;
    this.#used = new Map();
    // Only what the last attempt read is likely to be read by the next.
    this.#kept = new Map();
    let bytes = 0;
    for (const [content, buffer] of used) {
      bytes += buffer.byteLength;
      const moved = bytes > WORKING_COPIES_BYTES_MAX ? undefined : moveOut(buffer);
      if (moved !== undefined) this.#kept.set(content, moved);
    }
  }
}

/** Undefined where the step itself has moved it elsewhere, or forbidden that. */
function moveOut(buffer: ArrayBuffer): ArrayBuffer | undefined {
  if (buffer.byteLength === 0) return undefined;
  try {
    return clone(buffer, { transfer: [buffer] });
  } catch {
    return undefined;
  }
}
