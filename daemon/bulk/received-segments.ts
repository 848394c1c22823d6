/**
 * Where a transfer's verified pieces go: scratch segments, each fsynced and handed over once it is large enough, so that a cut, or a
 * disk that fills up, costs at most one of them, and not even that where the file can still be finished.
 */
import { open } from "node:fs/promises";
import { rmSync } from "node:fs";
import type { Codec } from "../../src/artifact/cid.ts";
import { SegmentWriter, type FinishedSegment } from "../../src/store/segment/segment-writer.ts";
import { RECEIVED_SEGMENT_BYTES_MAX } from "./bulk-limits.ts";

export interface ReceivedSegmentsParts {
  readonly newPath: () => string;
  /** The segment is on the disk. */
  readonly done: (segment: FinishedSegment) => void;
  readonly openWriter?: (path: string) => SegmentWriter;
}

export class ReceivedSegments {
  readonly #parts: ReceivedSegmentsParts;
  readonly #syncing = new Set<Promise<void>>();
  #writer: SegmentWriter | undefined;
  #failure: Error | undefined;

  constructor(parts: ReceivedSegmentsParts) {
    this.#parts = parts;
  }

  /** @throws the system's error; what was written whole before it is handed over all the same. */
  append(codec: Codec, digest: Buffer, data: Uint8Array): void {
    if (this.#failure !== undefined) throw this.#failure;
    const open = this.#parts.openWriter ?? ((path) => new SegmentWriter(path));
    try {
      this.#writer ??= open(this.#parts.newPath());
      this.#writer.appendHashed(codec, digest, data);
    } catch (error) {
      this.#failed(error as Error);
      throw error;
    }
    if (this.#writer.bytes >= RECEIVED_SEGMENT_BYTES_MAX) this.#finishWriter();
  }

  /** Resolves once everything is handed over; with the first error of writing or syncing. */
  async finish(): Promise<Error | undefined> {
    this.#finishWriter();
    while (this.#syncing.size > 0) await Promise.all(this.#syncing);
    return this.#failure;
  }

  #finishWriter(): void {
    const writer = this.#writer;
    if (writer === undefined || this.#failure !== undefined) return;
    try {
      const finished = writer.finish();
      this.#writer = undefined;
      this.#sync(finished);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #failed(error: Error): void {
    this.#failure ??= error;
    const writer = this.#writer;
    this.#writer = undefined;
    try {
      const saved = writer?.salvage();
      if (saved !== undefined) this.#sync(saved);
    } catch {
      // It cannot even be cut short: nothing of it is used, and its bytes go back to the disk.
      writer?.abandon();
    }
  }

  /** In the background: the next segment fills meanwhile. */
  #sync(segment: FinishedSegment): void {
    const syncing = syncFile(segment.file)
      .then(
        () => this.#parts.done(segment),
        (error: unknown) => {
          this.#failure ??= error as Error;
          rmSync(segment.file, { force: true });
        },
      )
      .finally(() => this.#syncing.delete(syncing));
    this.#syncing.add(syncing);
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
