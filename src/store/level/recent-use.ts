/**
 * What was stored or asked for not long ago, by key: a collection spares it, for whoever was told that something is here may be
 * about to build on it. Two Bloom filters of fixed size, the older thrown away each span: a false answer spares something, never
 * more than that, and a store that is very busy spares everything.
 */
import type { Clock } from "../../env/clock.ts";

/** 1 MiB a filter: after a hundred thousand keys one in twenty thousand others is spared by chance. */
const BITS = 2 ** 23;
const PROBES = 3;
/** Keys are digests: their end tells them apart. */
const KEY_CHARS = 16;

export interface UseWatch {
  has(key: string): boolean;
  end(): void;
}

export class RecentUse {
  readonly #clock: Clock;
  readonly #spanMs: number;
  #current: Uint8Array | undefined;
  #previous: Uint8Array | undefined;
  #turnsAt = 0;
  /** Since the first of the watches that are open. */
  #watched: Uint8Array | undefined;
  #watches = 0;

  /** What is added is known for `spanMs` at least, and twice that at most. */
  constructor(clock: Clock, spanMs: number) {
    this.#clock = clock;
    this.#spanMs = spanMs;
  }

  add(key: string): void {
    const now = this.#clock.monotonic();
    if (now >= this.#turnsAt) this.#turn(now);
    const first = hashOf(key);
    mark((this.#current ??= new Uint8Array(BITS / 8)), first);
    if (this.#watched !== undefined) mark(this.#watched, first);
  }

  has(key: string): boolean {
    const first = hashOf(key);
    return isIn(this.#current, first) || isIn(this.#previous, first);
  }

  /** What is added from now on can be told from what was added before, until the watch ends. */
  watch(): UseWatch {
    this.#watches++;
    const filter = (this.#watched ??= new Uint8Array(BITS / 8));
    let isOpen = true;
    return {
      has: (key) => isIn(filter, hashOf(key)),
      end: () => {
        if (isOpen && --this.#watches === 0) this.#watched = undefined;
        isOpen = false;
      },
    };
  }

  #turn(now: number): void {
    // After a long silence even the last is old.
    this.#previous = now < this.#turnsAt + this.#spanMs ? this.#current : undefined;
    this.#current = undefined;
    this.#turnsAt = now + this.#spanMs;
  }
}

function mark(filter: Uint8Array, first: number): void {
  const step = stepOf(first);
  for (let probe = 0, at = first; probe < PROBES; probe++, at += step) {
    const bit = at & (BITS - 1);
    filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }
}

function isIn(filter: Uint8Array | undefined, first: number): boolean {
  if (filter === undefined) return false;
  const step = stepOf(first);
  for (let probe = 0, at = first; probe < PROBES; probe++, at += step) {
    const bit = at & (BITS - 1);
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/** FNV-1a. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = Math.max(0, key.length - KEY_CHARS); at < key.length; at++)
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

/** Of the hash itself, mixed: one pass over the key is enough for all probes. */
function stepOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 9;
}
