/** What happens when in virtual time, soonest first, equals in the order they were put in. */
export interface Timed {
  at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/** A binary heap: the simulations deliver millions of events. */
export class EventHeap {
  readonly #heap: Timed[] = [];
  #order = 0;

  push(at: number, run: () => void): Timed {
    const timed: Timed = { at, order: this.#order++, run };
    let i = this.#heap.push(timed) - 1;
    for (
      let up = (i - 1) >> 1;
      i > 0 && isBefore(timed, this.#heap[up] as Timed);
      up = (i - 1) >> 1
    ) {
      this.#heap[i] = this.#heap[up] as Timed;
      i = up;
    }
    this.#heap[i] = timed;
    return timed;
  }

  get next(): Timed | undefined {
    return this.#heap[0];
  }

  pop(): Timed | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= this.#heap.length) break;
      const right = this.#heap[down + 1];
      if (right !== undefined && isBefore(right, this.#heap[down] as Timed)) down++;
      if (!isBefore(this.#heap[down] as Timed, last)) break;
      this.#heap[i] = this.#heap[down] as Timed;
      i = down;
    }
    this.#heap[i] = last;
    return first;
  }
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
