/** How long each task has been waited for in all: a desk that says "theirs" again and again must not hold a run for ever. */
import type { Clock } from "../../src/env/clock.ts";
import type { MemoKey } from "../../src/model/ids.ts";
import { ALONE_AFTER_MS } from "./sharing-limits.ts";

export class Patience {
  readonly #clock: Clock;
  readonly #since = new Map<MemoKey, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waited for from now on, if not already. */
  waits(key: MemoKey): void {
    if (!this.#since.has(key)) this.#since.set(key, this.#clock.monotonic());
  }

  isOver(key: MemoKey): boolean {
    const since = this.#since.get(key);
    return since !== undefined && this.#clock.monotonic() - since >= ALONE_AFTER_MS;
  }

  forget(key: MemoKey): void {
    this.#since.delete(key);
  }

  clear(): void {
    this.#since.clear();
  }
}
