/** First in, first out, with a way back to the front for what was given back. Taking n costs n. */
export class ReadyQueue<T> {
  #front: T[] = [];
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#front.length + this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  pushFront(item: T): void {
    this.#front.push(item);
  }

  peek(): T | undefined {
    return this.#front.at(-1) ?? this.#items[this.#head];
  }

  take(count: number): T[] {
    const taken: T[] = [];
    while (taken.length < count && this.#front.length > 0) taken.push(this.#front.pop() as T);
    const end = Math.min(this.#items.length, this.#head + count - taken.length);
    for (; this.#head < end; this.#head++) taken.push(this.#items[this.#head] as T);
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return taken;
  }

  clear(): void {
    this.#front = [];
    this.#items = [];
    this.#head = 0;
  }
}
