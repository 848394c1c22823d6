/**
 * The elements of a list and the value of a switch, read without a step host: from the table that a worker cut, else from the list
 * itself, which is cut here. For a command's own process; an engine never does that.
 */
import { decodeElementTable, encodeElementTable } from "../../artifact/element-table.ts";
import { contentId } from "../../engine/run/memo-key.ts";
import { ContentCache } from "../../engine/run/content-cache.ts";
import { elementsKey, ELEMENTS_OUTPUT } from "../../engine/run/element-memo.ts";
import { listOf, tableList } from "../../engine/run/element-loader.ts";
import type { ElementList } from "../../engine/run/run-units.ts";
import { readSwitchValue } from "../../engine/run/switch-value.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { listAt } from "../../task/load-inputs.ts";
import type { Records } from "../records.ts";

export class StoredElements {
  readonly #records: Records;
  readonly #contents: ContentCache;
  /** Parameters and constants may be stored nowhere. */
  readonly #given: ReadonlyMap<Cid, Uint8Array>;
  readonly #lists = new Map<string, Promise<ElementList>>();

  constructor(records: Records, given: ReadonlyMap<Cid, Uint8Array>) {
    this.#records = records;
    this.#given = given;
    this.#contents = new ContentCache({
      locate: async (ids) => [...(await records.side.locate(ids))],
    });
    for (const [id, data] of given) this.#contents.give(id, data);
  }

  /** @throws MfError EACH_NOT_LIST, CONTENT_MISSING */
  async load(step: string, source: InputSource): Promise<ElementList> {
    if (source.k === "list") return listOf(source.items);
    if (source.k === "object")
      throw new MfError("EACH_NOT_LIST", {
        source: "a whole handle",
        step,
        what: `object{${Object.keys(source.fields).length}}`,
      });
    const path = source.k === "artifact" ? (source.path ?? []) : [];
    const listId = contentId(source.id, path);
    let list = this.#lists.get(listId);
    if (list === undefined) {
      const stored = { step, id: source.id, path, listId };
      this.#lists.set(listId, (list = this.#loadStored(stored)));
    }
    return list;
  }

  switchValue(name: string, source: InputSource): Promise<string> {
    const store = { read: async (id: Cid) => Buffer.from(await this.#records.read(id)) };
    return readSwitchValue({ store, contents: this.#contents }, name, source);
  }

  async #loadStored({ step, id, path, listId }: StoredList): Promise<ElementList> {
    const [fact] = await this.#records.facts([{ memoKey: elementsKey(listId) }]);
    const table = fact?.outputs[ELEMENTS_OUTPUT]?.id;
    const [isStored] = table === undefined ? [false] : await this.#records.has([table]);
    if (table !== undefined && isStored === true)
      return tableList(decodeElementTable(await this.#records.read(table)));
    const data = this.#given.get(id) ?? (await this.#records.read(id));
    const items = listAt(data, { step, source: path.join(".") || "a value", path });
    return tableList(encodeElementTable(items).table);
  }
}

interface StoredList {
  readonly step: string;
  readonly id: Cid;
  readonly path: readonly string[];
  readonly listId: string;
}
