/** Takes scratch segments into the store: verified, fsynced, renamed. They are acknowledged only by the index batch that follows. */
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { MfError } from "../../model/errors.ts";
import type { WrittenSegment } from "../ports.ts";
import { walkSegment, type WalkedSegment } from "../segment/segment-walk.ts";
import { encodeChunkRow, PREFIX, segmentName } from "./index-rows.ts";
import type { KvOp } from "./kv.ts";
import { segmentOp, type LevelIndex } from "./level-index.ts";
import type { StoreLayout } from "./store-layout.ts";
import type { StoreWorker } from "./store-worker.ts";

/** Larger segments are hashed in the store's thread: this much costs about a millisecond here. */
const WALK_HERE_BYTES_MAX = 1024 * 1024;

/** Which of these chunks are here, by digest. */
export type PresentChunks = (digests: readonly string[]) => Promise<readonly boolean[]>;

export class SegmentShelf {
  readonly #layout: StoreLayout;
  readonly #index: LevelIndex;
  readonly #worker: StoreWorker;

  constructor(layout: StoreLayout, index: LevelIndex, worker: StoreWorker) {
    this.#layout = layout;
    this.#index = index;
    this.#worker = worker;
  }

  /** @throws MfError CONTENT_MISMATCH, CONTENT_MISSING; system errors of writing as they are */
  async adopt(present: PresentChunks, files: readonly string[]): Promise<KvOp[]> {
    const walks: { file: string; walked: WalkedSegment }[] = [];
    for (const file of files) walks.push({ file, walked: await this.#verifiedAndSynced(file) });
    const ops: KvOp[] = [];
    for (const { file, walked } of walks) {
      ops.push(...(await this.#take(present, file, walked)));
    }
    if (files.length > 0) await this.syncNames();
    return ops;
  }

  /** Segments that a thread of this process wrote and fsynced: what their records hash to is known. */
  async place(present: PresentChunks, written: readonly WrittenSegment[]): Promise<KvOp[]> {
    const ops: KvOp[] = [];
    for (const segment of written) ops.push(...(await this.#take(present, segment.file, segment)));
    if (written.length > 0) await this.syncNames();
    return ops;
  }

  /** Side by side: one keeps a core busy, the other the disk. What fails verification is told first. */
  async #verifiedAndSynced(file: string): Promise<WalkedSegment> {
    const [verified, synced] = await Promise.allSettled([this.#verified(file), syncPath(file)]);
    if (verified.status === "rejected") throw verified.reason;
    if (synced.status === "rejected") throw synced.reason;
    return verified.value;
  }

  async #verified(file: string): Promise<WalkedSegment> {
    let size: number;
    try {
      size = (await stat(file)).size;
    } catch (error) {
      throw new MfError("CONTENT_MISSING", { id: file }, { cause: error });
    }
    const walked = size > WALK_HERE_BYTES_MAX ? await this.#worker.walk(file) : walkSegment(file);
    const isWhole = walked.isSegment && walked.damagedAt === undefined && walked.bad.length === 0;
    if (!isWhole) throw new MfError("CONTENT_MISMATCH", { id: file });
    return walked;
  }

  /** Moves a file that is whole and fsynced among the segments; its number. Nothing points to it yet. */
  async shelve(file: string): Promise<number> {
    const segment = this.#index.totals.next++;
    await rename(file, join(this.#layout.segments, segmentName(segment)));
    return segment;
  }

  /** So that a file keeps its new name. */
  async syncNames(): Promise<void> {
    await syncPath(this.#layout.segments);
  }

  async #take(
    present: PresentChunks,
    file: string,
    walked: Pick<WrittenSegment, "records" | "bytes">,
  ): Promise<KvOp[]> {
    const { totals } = this.#index;
    const segment = await this.shelve(file);
    totals.segments++;
    totals.bytes += walked.bytes;
    const isHere = await present(walked.records.map(({ digest }) => digest));
    const ops: KvOp[] = [segmentOp(segmentName(segment), walked.bytes)];
    for (const [i, { digest, offset, bytes }] of walked.records.entries()) {
      // Content that is here already keeps its place; this copy is dead space.
      if (isHere[i] === true) continue;
      const value = encodeChunkRow({ segment, offset, bytes });
      ops.push({ type: "put", key: PREFIX.chunk + digest, value });
    }
    return ops;
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
