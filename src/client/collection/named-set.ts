/**
 * What runs name: facts by memo key and result, contents by id. Filled from journals, then from the facts they name, then from the
 * values that may hold files; the same for what stays and for what was removed.
 */
import {
  decodeElementTable,
  ELEMENT_INLINE_BYTES_MAX,
  elementId,
} from "../../artifact/element-table.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import { ELEMENTS_OUTPUT } from "../../engine/run/element-memo.ts";
import { isMfError } from "../../model/errors.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { JournalEntry } from "../../model/journal.ts";
import type { Store, SweepSet } from "../../store/ports.ts";
import { filesIn, isContentId, mayHoldFiles } from "./file-references.ts";

/** Which files values name that are not here: asked of whoever has the values. */
export type FilesElsewhere = (ids: readonly Cid[]) => Promise<ReadonlyMap<Cid, readonly Cid[]>>;

export class NamedSet implements SweepSet {
  readonly facts = new Set<string>();
  readonly contents = new Set<Cid>();
  /** Facts as journals name them: what to ask for. */
  readonly refs: FactRef[] = [];
  /** Values that may hold files and have not been looked into. */
  readonly #values = new Set<Cid>();
  readonly #plain = new Set<Cid>();

  /** `withInputs`: also what the run took from elsewhere; what a removed run took is not its own to give up. */
  addEntry(entry: JournalEntry, withInputs: boolean): void {
    if (entry.t === "run-started") {
      this.contents.add(entry.packageId);
      for (const id of Object.values(entry.params)) this.addValue(id);
      for (const { id } of Object.values(entry.sources ?? {})) this.addValue(id);
      if (withInputs) for (const id of Object.values(entry.versions)) this.addValue(id);
    }
    if (entry.t !== "tasks-succeeded") return;
    for (const { memoKey, result } of entry.tasks) {
      const ref = result === undefined ? { memoKey } : { memoKey, result };
      if (this.facts.has(nameOf(ref))) continue;
      this.facts.add(nameOf(ref));
      this.refs.push(ref);
    }
  }

  has(fact: Fact): boolean {
    return this.facts.has(fact.memoKey) || this.facts.has(`${fact.memoKey}.${resultIdOf(fact)}`);
  }

  addFact(fact: Fact, withInputs: boolean): void {
    this.facts.add(`${fact.memoKey}.${resultIdOf(fact)}`);
    if (fact.page !== undefined) {
      this.contents.add(fact.page);
      this.#plain.add(fact.page);
    }
    for (const { id, kind } of Object.values(fact.outputs)) {
      this.contents.add(id);
      if (mayHoldFiles(kind)) this.#values.add(id);
      else this.#plain.add(id);
    }
    if (!withInputs) return;
    for (const input of Object.values(fact.inputs)) {
      const id = contentOfInput(input);
      if (id !== undefined) this.addValue(id);
    }
  }

  addValue(id: Cid): void {
    this.contents.add(id);
    if (!this.#plain.has(id)) this.#values.add(id);
  }

  /** A list that was cut, where the list is in this set: its table, and the elements that are too large to travel in it. */
  async addElements(fact: Fact, store: Pick<Store, "read">): Promise<void> {
    const list = contentOfInput(fact.inputs["list"] ?? "");
    const table = fact.outputs[ELEMENTS_OUTPUT];
    if (list === undefined || table === undefined || !this.contents.has(list)) return;
    this.addFact(fact, false);
    for (const id of await largeElements(store, table.id)) this.addValue(id);
  }

  /** Looks into every value that may hold files. */
  async addFiles(store: Pick<Store, "stream">, elsewhere: FilesElsewhere): Promise<void> {
    const missing: Cid[] = [];
    for (const id of this.#values) {
      if (this.#plain.has(id)) continue;
      const files = await filesIn(store, id);
      if (files === undefined) missing.push(id);
      else for (const file of files) this.contents.add(file);
    }
    if (missing.length === 0) return;
    for (const files of (await elsewhere(missing)).values())
      for (const file of files) this.contents.add(file);
  }
}

/** As SweepSet has it. */
function nameOf({ memoKey, result }: FactRef): string {
  return result === undefined ? memoKey : `${memoKey}.${result}`;
}

/** A content, or a place inside one; undefined of a list or an object that was put together. */
function contentOfInput(input: string): Cid | undefined {
  const [id = ""] = input.split("/", 1);
  return isContentId(id) ? id : undefined;
}

async function largeElements(store: Pick<Store, "read">, table: Cid): Promise<readonly Cid[]> {
  try {
    const elements = decodeElementTable(await store.read(table));
    const large: Cid[] = [];
    for (const [at, size] of elements.sizes.entries())
      if (size > ELEMENT_INLINE_BYTES_MAX) large.push(elementId(elements, at));
    return large;
  } catch (error) {
    // Not here, or damaged: nobody here can read its elements either.
    if (isMfError(error)) return [];
    throw error;
  }
}
