/**
 * Gives the disk back what was swept: a segment without live chunks goes; of one that is mostly dead the live chunks are copied
 * (verified, fsynced), the index is switched in one batch, then the old file goes. Readers of other processes may still know the old
 * places, so a store that others work with keeps the file for a while; a row says that it is to go, so that a crash forgets none.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import { encodeValue } from "../../artifact/codec.ts";
import { RECORD_HEADER_BYTES } from "../segment/segment-format.ts";
import type { ContentReader } from "./content-reader.ts";
import { decodeChunkRow, decodeRow, encodeChunkRow, PREFIX, segmentName } from "./index-rows.ts";
import type { Kv, KvOp } from "./kv.ts";
import { segmentOp, type LevelIndex } from "./level-index.ts";
import type { SegmentShelf } from "./segment-shelf.ts";
import { reasonOf, type StoreLayout } from "./store-layout.ts";
import type { CopiedGroup, CopyItem, StoreWorker } from "./store-worker.ts";

/** A segment is rewritten once this much of it is dead. */
const DEAD_SHARE_MIN = 0.3;
/** Copied into one new segment, and so the memory and time of one request to the store's thread. */
const COPY_BYTES_MAX = 32 * 1024 * 1024;
/** Chunks that one collection moves: the next one goes on. */
const MOVED_MAX = 200_000;
/** A reader of another process opens what it was told of well within this. */
const UNLINK_DELAY_MS = 10 * 60_000;

export interface CompactionParts {
  readonly layout: StoreLayout;
  readonly index: LevelIndex;
  readonly shelf: SegmentShelf;
  readonly reader: ContentReader;
  readonly worker: StoreWorker;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newPath: () => string;
  /** Runs `work` while nothing is committed. */
  readonly exclusive: <R>(work: () => Promise<R>) => Promise<R>;
  /** What a failed write means: it poisons. */
  readonly failure: (error: unknown) => Error;
}

interface Victim {
  readonly segment: number;
  readonly bytes: number;
  /** Something points to it still. */
  isKept: boolean;
}

interface Live extends CopyItem {
  readonly victim: Victim;
}

export class SegmentCompaction {
  readonly #parts: CompactionParts;
  readonly #isStopped: () => boolean;
  readonly #unlinks = new Set<() => void>();

  constructor(parts: CompactionParts, isStopped: () => boolean) {
    this.#parts = parts;
    this.#isStopped = isStopped;
  }

  /** Files that are still to go are removed when the store is next opened. */
  stop(): void {
    for (const cancel of this.#unlinks) cancel();
    this.#unlinks.clear();
  }

  /** Bytes by which the segment files shrank, or will when they are unlinked. */
  async compact(isShared: boolean): Promise<number> {
    const kv = await this.#parts.index.ready();
    const victims = await this.#victims(kv);
    if (victims.size === 0) return 0;
    const written = await this.#moveLive(kv, victims);
    // Looked at once more: a file goes only when nothing at all points to it.
    for await (const [, row] of kv.rows(PREFIX.chunk)) {
      const victim = victims.get(decodeChunkRow(row).segment);
      if (victim !== undefined) victim.isKept = true;
    }
    const doomed = [...victims.values()].filter((victim) => !victim.isKept);
    if (doomed.length === 0 || this.#isStopped()) return -written;
    await this.#doom(doomed);
    await this.#unlink(doomed, isShared);
    return doomed.reduce((sum, { bytes }) => sum + bytes, 0) - written;
  }

  /** Segments are read first: whatever is committed later is in segments that are not among these. */
  async #victims(kv: Kv): Promise<Map<number, Victim>> {
    const victims = new Map<number, Victim>();
    const live = new Map<number, number>();
    for await (const [key, row] of kv.rows(PREFIX.segment)) {
      const segment = Number.parseInt(key.slice(PREFIX.segment.length), 16);
      victims.set(segment, { segment, bytes: Number(decodeRow(row) ?? 0), isKept: false });
    }
    for await (const [, row] of kv.rows(PREFIX.chunk)) {
      const { segment, bytes } = decodeChunkRow(row);
      live.set(segment, (live.get(segment) ?? 0) + bytes + RECORD_HEADER_BYTES);
    }
    // What was set aside is evidence: it stays until somebody has looked at it.
    for await (const [, row] of kv.rows(PREFIX.quarantine))
      if (row.length > 0) victims.delete(decodeChunkRow(row).segment);
    for (const [segment, { bytes }] of victims) {
      const dead = bytes - (live.get(segment) ?? 0);
      if (live.has(segment) && dead < bytes * DEAD_SHARE_MIN) victims.delete(segment);
    }
    return victims;
  }

  /** Bytes that were written for it. */
  async #moveLive(kv: Kv, victims: ReadonlyMap<number, Victim>): Promise<number> {
    let group: Live[] = [];
    let groupBytes = 0;
    let moved = 0;
    let written = 0;
    const flush = async (): Promise<void> => {
      if (group.length > 0) written += await this.#move(group);
      group = [];
      groupBytes = 0;
    };
    for await (const [key, row] of kv.rows(PREFIX.chunk)) {
      const { segment, offset, bytes } = decodeChunkRow(row);
      const victim = victims.get(segment);
      if (victim === undefined) continue;
      if (++moved > MOVED_MAX || this.#isStopped()) break;
      const file = join(this.#parts.layout.segments, segmentName(segment));
      group.push({ victim, file, digest: key.slice(PREFIX.chunk.length), offset, bytes });
      groupBytes += bytes;
      if (groupBytes >= COPY_BYTES_MAX) await flush();
    }
    await flush();
    return written;
  }

  async #move(group: readonly Live[]): Promise<number> {
    const { worker, logger, newPath, shelf, reader } = this.#parts;
    let copy: CopiedGroup;
    try {
      const items = group.map(({ file, digest, offset, bytes }) => ({
        file,
        digest,
        offset,
        bytes,
      }));
      copy = await worker.copy(newPath(), items);
    } catch (error) {
      // A disk too full for the copy: what is there stays as it is.
      logger.warn("store.compaction-failed", { reason: reasonOf(error) });
      return 0;
    }
    if (copy.records.length === 0) {
      await rm(copy.file, { force: true });
      return 0;
    }
    const segment = await shelf.shelve(copy.file);
    await shelf.syncNames();
    await this.#switch(group, { ...copy, segment });
    reader.forget(group.map(({ digest }) => digest));
    return copy.bytes;
  }

  /** Every chunk that is still where it was copied from is now in the new segment. */
  async #switch(
    group: readonly Live[],
    { segment, bytes, records }: CopiedGroup & { readonly segment: number },
  ): Promise<void> {
    const { exclusive, index } = this.#parts;
    const places = new Map(records.map((record) => [record.digest, record]));
    await exclusive(async () => {
      const kv = await index.ready();
      const rows = await kv.getMany(group.map(({ digest }) => PREFIX.chunk + digest));
      const ops: KvOp[] = [segmentOp(segmentName(segment), bytes)];
      for (const [at, { digest, victim, offset }] of group.entries()) {
        const row = rows[at];
        const place = places.get(digest);
        if (row === undefined || place === undefined) continue;
        const now = decodeChunkRow(row);
        if (now.segment !== victim.segment || now.offset !== offset) continue;
        const value = encodeChunkRow({ segment, offset: place.offset, bytes: place.bytes });
        ops.push({ type: "put", key: PREFIX.chunk + digest, value });
      }
      index.totals.segments++;
      index.totals.bytes += bytes;
      await this.#write(kv, ops);
    });
  }

  async #doom(victims: readonly Victim[]): Promise<void> {
    const { exclusive, index } = this.#parts;
    await exclusive(async () => {
      const kv = await index.ready();
      const ops = victims.flatMap(({ segment, bytes }): KvOp[] => {
        index.totals.segments--;
        index.totals.bytes -= bytes;
        const name = segmentName(segment);
        const { data } = encodeValue(bytes);
        return [
          { type: "del", key: PREFIX.segment + name },
          { type: "put", key: PREFIX.doomed + name, value: data },
        ];
      });
      await this.#write(kv, ops);
    });
  }

  async #unlink(victims: readonly Victim[], isShared: boolean): Promise<void> {
    const names = victims.map(({ segment }) => segmentName(segment));
    if (!isShared) return this.#unlinkNow(names);
    const cancel = this.#parts.clock.after(
      UNLINK_DELAY_MS,
      () => {
        this.#unlinks.delete(cancel);
        this.#unlinkNow(names).catch((error: unknown) => {
          this.#parts.logger.warn("store.unlink-failed", { reason: reasonOf(error) });
        });
      },
      { unref: true },
    );
    this.#unlinks.add(cancel);
  }

  async #unlinkNow(names: readonly string[]): Promise<void> {
    const { exclusive, index, layout, reader } = this.#parts;
    for (const name of names) {
      const file = join(layout.segments, name);
      await reader.close(file);
      await rm(file, { force: true });
    }
    await exclusive(async () => {
      const ops = names.map((name): KvOp => ({ type: "del", key: PREFIX.doomed + name }));
      await this.#write(await index.ready(), ops);
    });
  }

  async #write(kv: Kv, ops: KvOp[]): Promise<void> {
    try {
      await kv.batch([...ops, this.#parts.index.totalsOp()]);
    } catch (error) {
      throw this.#parts.failure(error);
    }
  }
}
