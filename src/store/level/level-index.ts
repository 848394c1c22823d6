/**
 * The index and its life. The first write error poisons it: LevelDB loses later acknowledged writes if it is used on (485 of 500), so
 * it is closed at once, everything pending is rejected, and the next use reopens it and indexes segments that were left out.
 */
import { readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../../env/logger.ts";
import { MfError } from "../../model/errors.ts";
import type { WalkedSegment } from "../segment/segment-walk.ts";
import { indexOutputs } from "./fact-rows.ts";
import { decodeRow, encodeChunkRow, PREFIX, segmentName } from "./index-rows.ts";
import { encodeValue } from "../../artifact/codec.ts";
import { repairLevel, type Kv, type KvOp, type KvOpener } from "./kv.ts";
import { reasonOf, type StoreLayout } from "./store-layout.ts";
import { isDiskFull } from "../../std/disk-full.ts";

/** Given back to the disk when it is full, so that LevelDB can reopen and a last record be written. */
const BALLAST_BYTES = 2 * 1024 * 1024;
/** No ballast is laid down on a disk that is nearly full anyway. */
const BALLAST_FREE_BYTES_MIN = 64 * 1024 * 1024;
const CLEAN_KEY = `${PREFIX.meta}clean`;
/** Set once every output of every fact has its row. */
const OUTPUTS_KEY = `${PREFIX.meta}outputs`;
const SEGMENT_NAME = /^[0-9a-f]{8}\.seg$/;

export interface StoreTotals {
  segments: number;
  bytes: number;
  /** Number of the next segment. */
  next: number;
}

export interface LevelIndexParts {
  readonly layout: StoreLayout;
  readonly openKv: KvOpener;
  readonly logger: Logger;
  /** Hashes a whole segment, off this thread. */
  readonly walk: (file: string) => Promise<WalkedSegment>;
}

export class LevelIndex {
  readonly totals: StoreTotals = { segments: 0, bytes: 0, next: 1 };
  /** Counts reopenings: what was read before one is not to be trusted after it. */
  epoch = 0;
  readonly #layout: StoreLayout;
  readonly #openKv: KvOpener;
  readonly #logger: Logger;
  readonly #walk: (file: string) => Promise<WalkedSegment>;
  #kv: Kv | undefined;
  #poison: MfError | undefined;
  #closing: Promise<void> = Promise.resolve();
  #reopening: Promise<Kv> | undefined;
  #isClosed = false;

  constructor(parts: LevelIndexParts) {
    this.#layout = parts.layout;
    this.#openKv = parts.openKv;
    this.#logger = parts.logger;
    this.#walk = parts.walk;
  }

  /** @throws MfError STORE_CORRUPT, STORE_FULL */
  async open(rebuild: boolean): Promise<void> {
    const kv = await this.#openRepaired();
    try {
      await this.#load(kv, rebuild);
    } catch (error) {
      await kv.close();
      throw isDiskFull(error)
        ? new MfError("STORE_FULL", { home: this.#layout.home }, { cause: error })
        : new MfError(
            "STORE_CORRUPT",
            { home: this.#layout.home, reason: reasonOf(error) },
            { cause: error },
          );
    }
    this.#kv = kv;
    this.#layBallast();
  }

  /** The index, reopened first where a write error closed it. @throws MfError STORE_FULL, STORE_POISONED */
  async ready(): Promise<Kv> {
    if (this.#isClosed) throw new MfError("STORE_POISONED", { reason: "it was closed" });
    if (this.#kv !== undefined) return this.#kv;
    this.#reopening ??= this.#reopen().finally(() => (this.#reopening = undefined));
    return this.#reopening;
  }

  /** Closes for good what a write error made untrustworthy; says what to reject with. */
  poison(cause: unknown): MfError {
    const error = isDiskFull(cause)
      ? new MfError("STORE_FULL", { home: this.#layout.home }, { cause })
      : new MfError("STORE_POISONED", { reason: reasonOf(cause) }, { cause });
    this.#poison ??= error;
    const kv = this.#kv;
    this.#kv = undefined;
    this.epoch++;
    this.#logger.error("store.poisoned", { code: error.code, reason: reasonOf(cause) });
    if (kv !== undefined) {
      this.#closing = kv.close().catch((failure: unknown) => {
        this.#logger.warn("store.close-failed", { reason: reasonOf(failure) });
      });
    }
    if (error.code === "STORE_FULL") rmSync(this.#layout.ballast, { force: true });
    return error;
  }

  /** Rows that say what the totals are, for the batch that changes them. */
  totalsOp(): KvOp {
    const { segments, bytes, next } = this.totals;
    const { data } = encodeValue([1, segments, bytes, next]);
    return { type: "put", key: `${PREFIX.meta}totals`, value: data };
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#layout.segments);
    return bavail * bsize;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#reopening?.catch(() => undefined);
    await this.#closing;
    const kv = this.#kv;
    this.#kv = undefined;
    if (kv === undefined) return;
    try {
      await kv.batch([this.totalsOp(), { type: "put", key: CLEAN_KEY, value: Uint8Array.of(1) }]);
    } catch (error) {
      this.#logger.warn("store.unclean-close", { reason: reasonOf(error) });
    }
    await kv.close();
  }

  async #reopen(): Promise<Kv> {
    await this.#closing;
    let kv: Kv | undefined;
    try {
      kv = await this.#openKv(this.#layout.index);
      await this.#load(kv, false);
      this.#kv = kv;
      this.#poison = undefined;
      this.#logger.info("store.reopened", {});
      return kv;
    } catch (error) {
      await kv?.close();
      this.#logger.warn("store.reopen-failed", { reason: reasonOf(error) });
      throw isDiskFull(error)
        ? new MfError("STORE_FULL", { home: this.#layout.home }, { cause: error })
        : (this.#poison ?? error);
    }
  }

  /** As it is; salvaged by LevelDB; empty and rebuilt from the segments. */
  async #openRepaired(): Promise<Kv> {
    const { index, home } = this.#layout;
    try {
      return await this.#openKv(index);
    } catch (error) {
      if (isDiskFull(error)) throw new MfError("STORE_FULL", { home }, { cause: error });
      this.#logger.error("store.index-damaged", { reason: reasonOf(error) });
    }
    try {
      await repairLevel(index);
      return await this.#openKv(index);
    } catch (error) {
      this.#logger.error("store.index-repair-failed", { reason: reasonOf(error) });
    }
    try {
      renameSync(index, `${index}.damaged-${process.pid}`);
      return await this.#openKv(index);
    } catch (error) {
      throw new MfError("STORE_CORRUPT", { home, reason: reasonOf(error) }, { cause: error });
    }
  }

  /** After anything but a clean close, segments that the index does not know are walked and indexed. */
  async #load(kv: Kv, rebuild: boolean): Promise<void> {
    const [clean, totals, outputs] = await kv.getMany([
      CLEAN_KEY,
      `${PREFIX.meta}totals`,
      OUTPUTS_KEY,
    ]);
    const row = totals === undefined ? undefined : decodeRow(totals);
    const isKnown = Array.isArray(row) && row[0] === 1;
    if (isKnown) {
      const [, segments, bytes, next] = row as number[];
      Object.assign(this.totals, { segments, bytes, next });
    }
    await this.#removeDoomed(kv);
    if (clean === undefined || !isKnown || rebuild) await this.#indexStrays(kv, rebuild);
    if (outputs === undefined) await indexOutputs(kv);
    await kv.batch([
      this.totalsOp(),
      { type: "put", key: OUTPUTS_KEY, value: Uint8Array.of(1) },
      { type: "del", key: CLEAN_KEY },
    ]);
  }

  /** What the last process had no time for, before anybody could take it for a segment that was left out. */
  async #removeDoomed(kv: Kv): Promise<void> {
    const ops: KvOp[] = [];
    for await (const [key] of kv.rows(PREFIX.doomed)) {
      rmSync(join(this.#layout.segments, key.slice(PREFIX.doomed.length)), { force: true });
      ops.push({ type: "del", key });
    }
    if (ops.length > 0) await kv.batch(ops);
  }

  async #indexStrays(kv: Kv, rebuild: boolean): Promise<void> {
    const names = readdirSync(this.#layout.segments).filter((name) => SEGMENT_NAME.test(name));
    const known = new Map<string, number>();
    for await (const [key, value] of kv.rows(PREFIX.segment)) {
      known.set(key.slice(PREFIX.segment.length), Number(decodeRow(value) ?? 0));
    }
    const { totals } = this;
    Object.assign(totals, { segments: 0, bytes: 0 });
    for (const name of names) {
      const number = Number.parseInt(name, 16);
      totals.next = Math.max(totals.next, number + 1);
      totals.segments++;
      const bytes = rebuild ? undefined : known.get(name);
      totals.bytes += bytes ?? (await this.#indexSegment(kv, name, number));
    }
  }

  async #indexSegment(kv: Kv, name: string, segment: number): Promise<number> {
    const walked = await this.#walk(join(this.#layout.segments, name));
    this.#logger.warn("store.segment-indexed", {
      segment: segmentName(segment),
      records: walked.records.length,
      bad: walked.bad.length,
      damagedAt: walked.damagedAt,
    });
    const ops: KvOp[] = walked.records.map(({ digest, offset, bytes }) => {
      return {
        type: "put",
        key: PREFIX.chunk + digest,
        value: encodeChunkRow({ segment, offset, bytes }),
      };
    });
    await kv.batch([...ops, segmentOp(name, walked.bytes)]);
    return walked.bytes;
  }

  #layBallast(): void {
    try {
      if (this.freeBytes() < BALLAST_FREE_BYTES_MIN) return;
      writeFileSync(this.#layout.ballast, Buffer.alloc(BALLAST_BYTES, 0xa5), { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
      this.#logger.warn("store.no-ballast", { reason: reasonOf(error) });
    }
  }
}

export function segmentOp(name: string, bytes: number): KvOp {
  return { type: "put", key: PREFIX.segment + name, value: encodeValue(bytes).data };
}
