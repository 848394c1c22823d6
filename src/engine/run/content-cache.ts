/**
 * Where content is, with what is small kept at hand: a child that reads its parent's number is sent the number itself.
 * Bounded; what was let go is asked of the store again.
 */
import type { InputSource, TaskInputs } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { ContentLocation, Store } from "../../store/ports.ts";
import { CONTENT_CACHE_BYTES_MAX } from "./run-limits.ts";

/** What an entry costs beside its bytes. */
const ENTRY_BYTES = 200;

export class ContentCache {
  readonly #store: Pick<Store, "locate">;
  /** Constants and parameters: always here, because they may not be in the store at all. */
  readonly #given = new Map<Cid, ContentLocation>();
  #recent = new Map<Cid, ContentLocation>();
  /** The generation before: entries still in use move back to `#recent`. */
  #older = new Map<Cid, ContentLocation>();
  #bytes = 0;

  constructor(store: Pick<Store, "locate">) {
    this.#store = store;
  }

  give(id: Cid, data: Uint8Array): void {
    this.#given.set(id, { inline: data });
  }

  remember(id: Cid, location: ContentLocation): void {
    this.#bytes +=
      ENTRY_BYTES +
      ("inline" in location ? location.inline.length : location.parts.length * ENTRY_BYTES);
    this.#recent.set(id, location);
    if (this.#bytes < CONTENT_CACHE_BYTES_MAX / 2) return;
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#bytes = 0;
  }

  known(id: Cid): ContentLocation | undefined {
    const location = this.#given.get(id) ?? this.#recent.get(id);
    if (location !== undefined) return location;
    const older = this.#older.get(id);
    if (older !== undefined) this.remember(id, older);
    return older;
  }

  /** Ids that are nowhere are left out of the answer. */
  async locate(ids: Iterable<Cid>): Promise<Map<Cid, ContentLocation>> {
    const found = new Map<Cid, ContentLocation>();
    const asked: Cid[] = [];
    for (const id of ids) {
      const location = this.known(id);
      if (location === undefined) asked.push(id);
      else found.set(id, location);
    }
    if (asked.length === 0) return found;
    const locations = await this.#store.locate(asked);
    for (const [position, id] of asked.entries()) {
      const location = locations[position];
      if (location === undefined) continue;
      this.remember(id, location);
      found.set(id, location);
    }
    return found;
  }
}

/** Adds every id that a reader of `inputs` has to load. */
export function addContentIds(ids: Set<Cid>, inputs: TaskInputs): void {
  if ("whole" in inputs) addSourceIds(ids, inputs.whole);
  else
    for (const name of Object.keys(inputs.fields))
      addSourceIds(ids, inputs.fields[name] as InputSource);
}

function addSourceIds(ids: Set<Cid>, source: InputSource): void {
  switch (source.k) {
    case "artifact":
      ids.add(source.id);
      return;
    case "bytes":
      return;
    case "list":
      for (const item of source.items) addSourceIds(ids, item);
      return;
    case "object":
      for (const name of Object.keys(source.fields))
        addSourceIds(ids, source.fields[name] as InputSource);
  }
}
