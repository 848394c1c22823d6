/**
 * Group commit: while one batch is on its way to the disk, the next ones gather and share the following sync. Batches that carry the
 * journal of one run keep the order in which they were handed in; others do not wait for each other's preparation.
 */
import type { Deferred } from "./deferred.ts";

export interface Prepared {
  /** Undefined while content is being verified. */
  ready: boolean;
  readonly run: string | undefined;
  readonly done: Deferred;
}

export class CommitQueue<T extends Prepared> {
  readonly #write: (group: readonly T[]) => Promise<void>;
  #waiting: T[] = [];
  #writing: Promise<void> | undefined;
  #turns: (() => Promise<void>)[] = [];
  #exclusive: Promise<void> | undefined;

  constructor(write: (group: readonly T[]) => Promise<void>) {
    this.#write = write;
  }

  add(item: T): void {
    this.#waiting.push(item);
  }

  remove(item: T): void {
    this.#waiting = this.#waiting.filter((other) => other !== item);
    this.pump();
  }

  /** Rejects everything that has not been acknowledged. */
  rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) item.done.reject(error);
  }

  /** Resolves when nothing waits and nothing is being written. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined || this.#waiting.length > 0 || this.#turns.length > 0) {
      await Promise.allSettled([this.#writing, ...this.#waiting.map((item) => item.done.promise)]);
    }
  }

  /** Settled while nothing is being taken away. Whoever relies on what he reads says so first, then waits for this. */
  get settled(): Promise<void> | undefined {
    return this.#exclusive;
  }

  /** Between two groups: nothing is written meanwhile. */
  exclusive<R>(work: () => Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#turns.push(() => {
        const turn = work().then(resolve, reject);
        this.#exclusive = turn;
        return turn.finally(() => (this.#exclusive = undefined));
      });
      this.pump();
    });
  }

  pump(): void {
    if (this.#writing !== undefined) return;
    const turn = this.#turns.shift();
    if (turn !== undefined) {
      this.#writing = turn().finally(() => {
        this.#writing = undefined;
        this.pump();
      });
      return;
    }
    const group = this.#takeGroup();
    if (group.length === 0) return;
    this.#writing = this.#settle(group).finally(() => {
      this.#writing = undefined;
      this.pump();
    });
  }

  async #settle(group: readonly T[]): Promise<void> {
    try {
      await this.#write(group);
      for (const item of group) item.done.resolve();
    } catch (error) {
      for (const item of group) item.done.reject(error as Error);
    }
  }

  #takeGroup(): T[] {
    const held = new Set<string>();
    const group: T[] = [];
    const rest: T[] = [];
    for (const item of this.#waiting) {
      const mayGo = item.ready && !(item.run !== undefined && held.has(item.run));
      if (!mayGo && item.run !== undefined) held.add(item.run);
      (mayGo ? group : rest).push(item);
    }
    this.#waiting = rest;
    return group;
  }
}
