/**
 * One execution for each memo key: who is about to run a task says so first, and others that want the same wait for its fact. The port,
 * and what the runs of one engine share; daemon/sharing extends it to the mesh. Running a task twice is harmless, so nothing here
 * is ever waited for without an end.
 */
import type { CodeId, MemoKey } from "../model/ids.ts";
import type { FactRef } from "../model/fact.ts";

/** A task as far as others may have run it. */
export interface TaskKey extends FactRef {
  readonly code: CodeId;
}

export interface WorkSharing {
  /** A run begins (again) whose tasks have these codes: those of steps that may be reused. */
  enter(codes: readonly CodeId[]): RunShare;
}

/** What one run has of it, until it leaves. */
export interface RunShare {
  /** Resolves soon, whatever happens: who else has to do with these codes is known as well as it can be. */
  readonly ready: Promise<void>;
  /** One answer a key. Undefined: it is this run's to do, until it is settled. Else: resolves when it is worth another look. */
  claim(tasks: readonly TaskKey[]): Promise<readonly (Promise<void> | undefined)[]>;
  /** What this run claimed is over: with a fact that is durable here, or without. Others are not told of keys it did not claim. */
  settle(keys: readonly MemoKey[], isDone: boolean): void;
  /** Brings facts of these tasks from elsewhere into the store. False where none came. */
  find(tasks: readonly TaskKey[]): Promise<boolean>;
  /** Settles what is left, without facts. */
  leave(): void;
}

interface Held {
  /** Whose it is; undefined where it is somebody's elsewhere. */
  by: object | undefined;
  /** Made by the first that waits. */
  over?: { readonly promise: Promise<void>; readonly resolve: () => void };
}

/** Who in this process does what. */
export class HeldKeys {
  readonly #held = new Map<MemoKey, Held>();

  get size(): number {
    return this.#held.size;
  }

  /** Undefined: it is `by`'s now, or was already. */
  take(key: MemoKey, by: object): Promise<void> | undefined {
    const held = this.#held.get(key);
    if (held === undefined) {
      this.#held.set(key, { by });
      return undefined;
    }
    return held.by === by ? undefined : waitFor(held);
  }

  /** It turned out to be done elsewhere: whoever had it waits like the others. */
  giveAway(key: MemoKey): Promise<void> {
    const held = this.#held.get(key) ?? { by: undefined };
    held.by = undefined;
    this.#held.set(key, held);
    return waitFor(held);
  }

  isHeldBy(key: MemoKey, by: object): boolean {
    return this.#held.get(key)?.by === by;
  }

  isElsewhere(key: MemoKey): boolean {
    const held = this.#held.get(key);
    return held !== undefined && held.by === undefined;
  }

  release(key: MemoKey): void {
    const held = this.#held.get(key);
    this.#held.delete(key);
    held?.over?.resolve();
  }
}

/** Of an engine that is alone with its store. */
export class LocalSharing implements WorkSharing {
  readonly #held = new HeldKeys();

  enter(): RunShare {
    return new LocalShare(this.#held);
  }
}

class LocalShare implements RunShare {
  readonly ready = Promise.resolve();
  readonly #held: HeldKeys;
  readonly #claimed = new Set<MemoKey>();

  constructor(held: HeldKeys) {
    this.#held = held;
  }

  async claim(tasks: readonly TaskKey[]): Promise<readonly (Promise<void> | undefined)[]> {
    return tasks.map(({ memoKey }) => {
      const over = this.#held.take(memoKey, this);
      if (over === undefined) this.#claimed.add(memoKey);
      return over;
    });
  }

  settle(keys: readonly MemoKey[]): void {
    for (const key of keys) if (this.#claimed.delete(key)) this.#held.release(key);
  }

  /** Its store is all there is. */
  async find(): Promise<boolean> {
    return false;
  }

  leave(): void {
    this.settle([...this.#claimed]);
  }
}

function waitFor(held: Held): Promise<void> {
  if (held.over === undefined) {
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    held.over = { promise, resolve };
  }
  return held.over.promise;
}
