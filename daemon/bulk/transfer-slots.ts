/** How many transfers run at once: what is small has slots of its own, so that it never waits behind what is large. */
import { LARGE_TRANSFERS_MAX, SMALL_BYTES_MAX, SMALL_TRANSFERS_MAX } from "./bulk-limits.ts";

class Slots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Handed on, not given back: nobody who comes later may take it first.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

export class TransferSlots {
  readonly #small = new Slots(SMALL_TRANSFERS_MAX);
  readonly #large = new Slots(LARGE_TRANSFERS_MAX);

  run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    return (bytes <= SMALL_BYTES_MAX ? this.#small : this.#large).run(work);
  }
}
