import { uptime } from "node:os";

/** Time as a constructor argument, so that a simulator can supply its own. */
export interface Clock {
  /** Wall time, ms since 1970. For records that people read. */
  now(): number;
  /** Monotonic ms. For durations and deadlines. */
  monotonic(): number;
  /** Calls back once after `ms`; the returned function cancels. The timer does not keep the process alive if `unref`. */
  after(ms: number, callback: () => void, options?: { unref?: boolean }): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, options) {
    const timer = setTimeout(callback, ms);
    if (options?.unref) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Ms since the machine started, sleep included, where `monotonic` stands still while it sleeps. Whole seconds on some systems. */
export function systemBootMs(): number {
  return uptime() * 1000;
}

/** Resolves after `ms`, or at once when `signal` aborts (the caller checks the signal). */
export function delay(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(ms, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
