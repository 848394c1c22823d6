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

export class RecentUse {
  readonly #clock: Clock;
  readonly #spanMs: number;
  #current: Uint8Array | undefined;
  #previous: Uint8Array | undefined;
  #turnsAt = 0;

  /** What is added is known for `spanMs` at least, and twice that at most. */
  constructor(clock: Clock, spanMs: number) {
    this.#clock = clock;
    this.#spanMs = spanMs;
  }

  add(key: string): void {
    const now = this.#clock.monotonic();
    if (now >= this.#turnsAt) this.#turn(now);
    const filter = (this.#current ??= new Uint8Array(BITS / 8));
    const first = hashOf(key);
    const step = stepOf(first);
    for (let probe = 0, at = first; probe < PROBES; probe++, at += step) {
      const bit = at & (BITS - 1);
      filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
    }
  }

  has(key: string): boolean {
    return isIn(this.#current, key) || isIn(this.#previous, key);
  }

  #turn(now: number): void {
    // After a long silence even the last is old.
    this.#previous = now < this.#turnsAt + this.#spanMs ? this.#current : undefined;
    this.#current = undefined;
    this.#turnsAt = now + this.#spanMs;
  }
}

function isIn(filter: Uint8Array | undefined, key: string): boolean {
  if (filter === undefined) return false;
  const first = hashOf(key);
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
