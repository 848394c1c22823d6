/**
 * Of which tasks this store has facts, by step code, in four bytes a fact: what others ask when a run of theirs begins. Counted once
 * when the daemon starts, then kept with every commit. A print of a fact that was removed since costs whoever asks one question.
 */
import { setImmediate } from "node:timers/promises";
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { Store } from "../../src/store/ports.ts";
import { withCommit } from "../../src/store/with-commit.ts";
import { PRINT_BYTES } from "../../src/wire/sharing-protocol.ts";
import { PRINTS_MAX, SCAN_TURN } from "./sharing-limits.ts";

const FIRST_PRINTS = 16;

export class KnownFacts {
  readonly #byCode = new Map<CodeId, Prints>();
  readonly #printsMax: number;
  #count = 0;
  #isComplete = false;
  #isClosed = false;

  constructor(printsMax: number = PRINTS_MAX) {
    this.#printsMax = printsMax;
  }

  /** The same store; what it is given from now on is counted. */
  watching(store: Store): Store {
    return withCommit(store, async (batch) => {
      await store.commit(batch);
      for (const { code, memoKey } of batch.facts ?? []) this.note(code, memoKey);
    });
  }

  /** What is there already. Until it resolves, every code counts as known. */
  async count(store: Pick<Store, "facts">): Promise<void> {
    let count = 0;
    for await (const { code, memoKey } of store.facts()) {
      this.note(code, memoKey);
      if (++count % SCAN_TURN === 0) await setImmediate();
      if (this.#isClosed) return;
    }
    this.#isComplete = true;
  }

  close(): void {
    this.#isClosed = true;
  }

  note(code: CodeId, key: MemoKey): void {
    let prints = this.#byCode.get(code);
    if (prints === undefined) this.#byCode.set(code, (prints = new Prints()));
    if (this.#count >= this.#printsMax) return prints.forget();
    const before = prints.length;
    prints.add(printOf(key));
    this.#count += prints.length - before;
  }

  /** Undefined: none. "many": ask for whatever key. */
  of(code: CodeId): Uint8Array | "many" | undefined {
    const prints = this.#byCode.get(code);
    if (!this.#isComplete) return "many";
    return prints === undefined ? undefined : prints.bytes();
  }
}

/** Set of prints as it came from a peer. */
export class PrintSet {
  readonly #prints = new Set<number>();

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + PRINT_BYTES <= bytes.length; at += PRINT_BYTES)
      this.#prints.add(view.getUint32(at));
  }

  has(key: MemoKey): boolean {
    return this.#prints.has(printOf(key));
  }
}

/** Grows by doubling; what was committed twice (facts come with journals again and again) is thrown out first. */
class Prints {
  #list = new Uint32Array(FIRST_PRINTS);
  #isForgotten = false;
  length = 0;

  add(print: number): void {
    if (this.#isForgotten) return;
    if (this.length === this.#list.length) this.#makeRoom();
    this.#list[this.length++] = print;
  }

  forget(): void {
    this.#isForgotten = true;
  }

  bytes(): Uint8Array | "many" {
    if (this.#isForgotten) return "many";
    const bytes = new Uint8Array(this.length * PRINT_BYTES);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < this.length; at++)
      view.setUint32(at * PRINT_BYTES, this.#list[at] as number);
    return bytes;
  }

  #makeRoom(): void {
    const unique = [...new Set(this.#list)];
    const isCrowded = unique.length * 2 > this.#list.length;
    const next = new Uint32Array(isCrowded ? this.#list.length * 2 : this.#list.length);
    next.set(unique);
    this.#list = next;
    this.length = unique.length;
  }
}

function printOf(key: MemoKey): number {
  return Number.parseInt(key.slice(0, PRINT_BYTES * 2), 16);
}
