/** Opens the store in a home directory: takes the lock, sweeps scratch, opens the index and repairs what can be repaired. */
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Random } from "../env/random.ts";
import { ContentReader } from "./level/content-reader.ts";
import { openLevelKv, type KvOpener } from "./level/kv.ts";
import { LevelIndex } from "./level/level-index.ts";
import { LevelStore } from "./level/level-store.ts";
import { SegmentShelf } from "./level/segment-shelf.ts";
import { guarded, layoutOf, makeDirectories, sweepScratch } from "./level/store-layout.ts";
import { lockStore } from "./level/store-lock.ts";
import { StoreWorker } from "./level/store-worker.ts";
import type { Store } from "./ports.ts";

export interface OpenStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** rebuild: walk every segment again and index what is in it. */
  readonly mode?: "open" | "rebuild";
  /** The index underneath; a test puts a failing one here. */
  readonly openKv?: KvOpener;
}

/** @throws MfError STORE_IN_USE, STORE_UNWRITABLE, STORE_FULL, STORE_CORRUPT */
export async function openStore(home: string, options: OpenStoreOptions): Promise<Store> {
  const { random, logger, clock } = options;
  const started = clock.monotonic();
  const layout = layoutOf(home);
  makeDirectories(layout);
  const lock = guarded(home, () => lockStore(home, random));
  const worker = new StoreWorker();
  try {
    sweepScratch(layout);
    const openKv = options.openKv ?? openLevelKv;
    const index = new LevelIndex({
      layout,
      openKv,
      logger,
      walk: (file) => worker.walk(file),
    });
    await index.open(options.mode === "rebuild");
    const shelf = new SegmentShelf(layout, index, worker);
    const reader = new ContentReader(layout, index, logger);
    logger.debug("store.opened", { home, ms: clock.monotonic() - started });
    return new LevelStore({ layout, index, shelf, reader, worker, lock, clock, logger, random });
  } catch (error) {
    await worker.close();
    lock.release();
    throw error;
  }
}
