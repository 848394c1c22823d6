/** How full the store is, asked from time to time, so that a load record has it at hand. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { LoadRecord } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";

const ASK_INTERVAL_MS = 5_000;
/** Below this the peer takes no copies for others; below FULL_BYTES nothing at all. */
export const TIGHT_BYTES = 2 * 1024 ** 3;
export const FULL_BYTES = 256 * 1024 ** 2;

export interface StoreFill {
  readonly state: LoadRecord["store"];
  readonly freeBytes: number;
  readonly bytes: number;
}

export interface StoreGaugeOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `--store-max`. */
  readonly bytesMax: number | undefined;
}

export class StoreGauge {
  readonly #store: Pick<Store, "stats">;
  readonly #options: StoreGaugeOptions;
  #fill: StoreFill = { state: "rw", freeBytes: 0, bytes: 0 };
  #cancel: () => void = () => undefined;

  constructor(store: Pick<Store, "stats">, options: StoreGaugeOptions) {
    this.#store = store;
    this.#options = options;
  }

  now(): StoreFill {
    return this.#fill;
  }

  async start(): Promise<void> {
    await this.#ask();
    this.#cancel = this.#options.clock.after(ASK_INTERVAL_MS, () => void this.start(), {
      unref: true,
    });
  }

  stop(): void {
    this.#cancel();
  }

  async #ask(): Promise<void> {
    try {
      const { bytes, freeBytes } = await this.#store.stats();
      this.#fill = fillOf(bytes, Math.min(freeBytes, (this.#options.bytesMax ?? Infinity) - bytes));
    } catch (error) {
      // The store says itself what is wrong with it when it is next written to.
      this.#options.logger.warn("store-stats-failed", { reason: String(error) });
      this.#fill = { ...this.#fill, state: "poisoned" };
    }
  }
}

export function fillOf(bytes: number, freeBytes: number): StoreFill {
  const free = Math.max(0, freeBytes);
  const state = free < FULL_BYTES ? "full" : free < TIGHT_BYTES ? "tight" : "rw";
  return { state, freeBytes: free, bytes };
}
