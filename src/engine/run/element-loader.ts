/**
 * Gets the elements of whatever an each() points to: a collected list is at hand; a stored list was cut by the worker that
 * made it, or in an earlier run, or is cut now in a step host (never here: it may be large, and its bytes are the user's).
 */
import {
  decodeElementTable,
  elementBody,
  elementId,
  type ElementTable,
} from "../../artifact/element-table.ts";
import { parseCid } from "../../artifact/cid.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { ContentLocation, Store } from "../../store/ports.ts";
import type { HostPool } from "../ports.ts";
import type { ContentCache } from "./content-cache.ts";
import type { FactMaker } from "./fact-maker.ts";
import { elementsFact, elementsKey, ELEMENTS_OUTPUT } from "./element-memo.ts";
import { contentId } from "./memo-key.ts";
import type { ElementTableOf } from "./outcome-record.ts";
import type { RunRecorder } from "./run-recorder.ts";
import type { ElementList } from "./run-units.ts";

export interface ElementLoaderDeps {
  readonly store: Pick<Store, "getFacts" | "read" | "has">;
  readonly hosts: Pick<HostPool, "splitContent" | "bring">;
  readonly contents: ContentCache;
  readonly recorder: Pick<RunRecorder, "add">;
  readonly maker: FactMaker;
  /** A fresh path for a scratch segment. */
  readonly scratchFile: () => string;
}

export class ElementLoader {
  readonly #deps: ElementLoaderDeps;
  /** By id of the list: one load for all who iterate over it. */
  readonly #lists = new Map<string, Promise<ElementList>>();
  readonly #tables = new Map<string, Cid>();

  constructor(deps: ElementLoaderDeps) {
    this.#deps = deps;
  }

  /** An output came with its table. */
  noteTable({ listId, table }: ElementTableOf): void {
    this.#tables.set(listId, table.ref.id);
    if (table.data !== undefined)
      this.#deps.contents.remember(table.ref.id, { inline: table.data });
  }

  /** `step` iterates over `source`. @throws MfError EACH_NOT_LIST and what the store throws */
  load(step: string, source: InputSource): Promise<ElementList> {
    if (source.k === "list") return Promise.resolve(listOf(source.items));
    if (source.k === "object") {
      return Promise.reject(
        new MfError("EACH_NOT_LIST", {
          source: "a whole handle",
          step,
          what: `object{${Object.keys(source.fields).length}}`,
        }),
      );
    }
    const path = source.k === "artifact" ? (source.path ?? []) : [];
    const listId = contentId(source.id, path);
    let list = this.#lists.get(listId);
    if (list === undefined) {
      list = this.#loadStored({ step, id: source.id, path, listId });
      this.#lists.set(listId, list);
    }
    return list;
  }

  async #loadStored(request: StoredList): Promise<ElementList> {
    const known = this.#tables.get(request.listId) ?? (await this.#rememberedTable(request.listId));
    const data = known === undefined ? await this.#split(request) : await this.#contentOf(known);
    return tableList(decodeElementTable(data));
  }

  async #rememberedTable(listId: string): Promise<Cid | undefined> {
    const [fact] = await this.#deps.store.getFacts([elementsKey(listId)]);
    const table = fact?.outputs[ELEMENTS_OUTPUT]?.id;
    if (table === undefined) return undefined;
    const [isHere] = await this.#deps.store.has([table]);
    return isHere === true ? table : undefined;
  }

  async #contentOf(id: Cid): Promise<Uint8Array> {
    const location = this.#deps.contents.known(id);
    return location !== undefined && "inline" in location
      ? location.inline
      : this.#deps.store.read(id);
  }

  async #split({ step, id, path, listId }: StoredList): Promise<Uint8Array> {
    const { contents, hosts, recorder, maker } = this.#deps;
    let content: ContentLocation | undefined = (await contents.locate([id])).get(id);
    if (content === undefined && hosts.bring !== undefined) {
      await hosts.bring([id]);
      content = (await contents.locate([id])).get(id);
    }
    if (content === undefined) throw new MfError("CONTENT_MISSING", { id });
    const codec = parseCid(id).codec === "raw" ? "raw" : "messagepack";
    const result = await hosts.splitContent({
      step,
      source: path.join(".") || "a value",
      content,
      codec,
      path,
      scratchFile: this.#deps.scratchFile(),
    });
    const { ref, data } = result.table;
    const fact = elementsFact(listId, ref, { by: maker.peer, at: maker.now() });
    const { groups, pages } = maker.sign([[fact]]);
    await new Promise<void>((resolve) => {
      recorder.add({
        facts: groups.flat(),
        inline: data === undefined ? pages : [...pages, { id: ref.id, data }],
        ...(result.scratchFile === undefined ? {} : { scratch: result.scratchFile }),
        after: [resolve],
      });
    });
    return data ?? this.#deps.store.read(ref.id);
  }
}

interface StoredList {
  readonly step: string;
  readonly id: Cid;
  readonly path: readonly string[];
  readonly listId: string;
}

export function listOf(items: readonly InputSource[]): ElementList {
  return { count: items.length, at: (position) => items[position] as InputSource };
}

export function tableList(table: ElementTable): ElementList {
  return {
    count: table.count,
    at(position) {
      const id = elementId(table, position);
      const body = elementBody(table, position);
      return body === undefined ? { k: "artifact", id } : { k: "bytes", id, data: body };
    },
  };
}
