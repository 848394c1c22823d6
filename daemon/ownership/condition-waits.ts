/** Waiting until something is so, looked at whenever something has changed; never longer than asked. */
import type { Clock } from "../../src/env/clock.ts";

export class ConditionWaits {
  readonly #clock: Pick<Clock, "after">;
  readonly #looks = new Set<() => void>();
  #isClosed = false;

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  /** Something has changed. */
  look(): void {
    for (const look of this.#looks) look();
  }

  /** Nothing will change any more: whoever waits gets what is so now. */
  close(): void {
    this.#isClosed = true;
    this.look();
  }

  /** What `isSo` says when it first says yes, after `ms`, or on close. */
  until(isSo: () => boolean, ms: number): Promise<boolean> {
    if (isSo() || this.#isClosed) return Promise.resolve(isSo());
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.#looks.delete(look);
        resolve(isSo());
      };
      const look = (): void => {
        if (isSo() || this.#isClosed) end();
      };
      const cancel = this.#clock.after(ms, end);
      this.#looks.add(look);
    });
  }
}
