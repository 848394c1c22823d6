/**
 * Group put: while the store's thread writes one segment, further puts gather and share the next one, its fsync and its batch. A group
 * is acknowledged while the thread already writes the following one.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { WrittenGroup, PutItem, StoreWorker } from "./store-worker.ts";

/** A group takes no more once it holds this much; one larger item makes a group of its own. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024;
/** Copied for the thread in one turn of the loop: well under its 5 ms. */
const SLICE_BYTES = 1024 * 1024;

export interface StoredBytes {
  readonly id: Cid;
  readonly bytes: number;
}

export interface PutSource {
  readonly codec: "raw" | "messagepack";
  /** Bytes, or the path of a file. */
  readonly from: Uint8Array | string;
  readonly bytes: number;
}

interface Pending extends PutSource {
  readonly resolve: (stored: StoredBytes) => void;
  readonly reject: (error: Error) => void;
}

export interface PutQueueParts {
  readonly worker: StoreWorker;
  readonly newPath: () => string;
  /** Makes a written segment part of the store: resolves once that is durable. */
  readonly commit: (written: WrittenGroup) => Promise<void>;
  /** What a failure of the thread means. */
  readonly failure: (error: unknown) => Error;
}

export class PutQueue {
  readonly #parts: PutQueueParts;
  readonly #under = new Set<Promise<void>>();
  #waiting: Pending[] = [];
  #isWriting = false;
  /** Used again by every group it is large enough for. */
  #lane = new SharedArrayBuffer(0);

  constructor(parts: PutQueueParts) {
    this.#parts = parts;
  }

  put(source: PutSource): Promise<StoredBytes> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...source, resolve, reject });
      this.#pump();
    });
  }

  /** Resolves when nothing waits and nothing is being written. */
  async idle(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under);
  }

  #pump(): void {
    if (this.#isWriting || this.#waiting.length === 0) return;
    this.#isWriting = true;
    const running: Promise<void> = this.#run().finally(() => this.#under.delete(running));
    this.#under.add(running);
  }

  async #run(): Promise<void> {
    // Puts of the same turn of the loop belong together.
    await nextTurn();
    const group = this.#takeGroup();
    const settled = await this.#written(group);
    this.#isWriting = false;
    this.#pump();
    if (settled === undefined) return;
    try {
      if (settled.records.length > 0) await this.#parts.commit(settled);
    } catch (error) {
      for (const { reject } of group) reject(error as Error);
      return;
    }
    for (const [i, { resolve, reject }] of group.entries()) {
      const put =
        settled.puts[i] ?? new MfError("INTERNAL", { message: "a put without an answer" });
      if (put instanceof Error) reject(put);
      else resolve(put);
    }
  }

  async #written(group: readonly Pending[]): Promise<WrittenGroup | undefined> {
    try {
      const items = await this.#shared(group);
      return await this.#parts.worker.put(this.#parts.newPath(), items);
    } catch (error) {
      const failure = this.#parts.failure(error);
      for (const { reject } of group) reject(failure);
      return undefined;
    }
  }

  #takeGroup(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const item of this.#waiting) {
      if (count > 0 && bytes + item.bytes > GROUP_BYTES_MAX) break;
      bytes += item.bytes;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** The bytes where the thread can read them without another copy. */
  async #shared(group: readonly Pending[]): Promise<PutItem[]> {
    const needed = group.reduce(
      (sum, { from }) => sum + (typeof from === "string" ? 0 : from.length),
      0,
    );
    const lane = this.#laneOf(needed);
    const items: PutItem[] = [];
    let at = 0;
    let turn = 0;
    for (const { codec, from } of group) {
      if (typeof from === "string") {
        items.push({ codec, source: from });
        continue;
      }
      items.push({ codec, data: lane.subarray(at, at + from.length) });
      for (let done = 0; done < from.length; done += SLICE_BYTES) {
        const slice = from.subarray(done, done + SLICE_BYTES);
        lane.set(slice, at + done);
        turn += slice.length;
        if (turn < SLICE_BYTES) continue;
        turn = 0;
        await nextTurn();
      }
      at += from.length;
    }
    return items;
  }

  #laneOf(bytes: number): Uint8Array {
    if (bytes > GROUP_BYTES_MAX) return new Uint8Array(new SharedArrayBuffer(bytes));
    if (this.#lane.byteLength < bytes) {
      this.#lane = new SharedArrayBuffer(Math.min(GROUP_BYTES_MAX, bytes * 2));
    }
    return new Uint8Array(this.#lane);
  }
}
