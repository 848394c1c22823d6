/** Chance for the pure machine: a sequence that its seed decides (mulberry32), so that one seed gives one history. */
export class SeededDraw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** Up to `count` of them, each at most once, in random order. */
  pick<T>(from: readonly T[], count: number): T[] {
    const left = [...from];
    const picked: T[] = [];
    while (picked.length < count && left.length > 0) {
      const at = this.below(left.length);
      const last = left.pop() as T;
      if (at === left.length) picked.push(last);
      else {
        picked.push(left[at] as T);
        left[at] = last;
      }
    }
    return picked;
  }
}
