/** A Store that reads content of the whole mesh: what is not here is brought first. Everything else is the local store's. */
import { isMfError } from "../../src/model/errors.ts";
import type { ArtifactRef, Fact, FactRef } from "../../src/model/fact.ts";
import type { Cid, MemoKey, RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunSummary } from "../../src/model/journal.ts";
import type { Mark } from "../../src/model/mark.ts";
import type { CommitBatch, ContentLocation, Store, Sweeper } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { HaveService } from "./have-service.ts";

export class ReadingStore implements Store {
  readonly home: string;
  readonly scratchDir: string;
  readonly sweeper: Sweeper;
  readonly #store: Store;
  readonly #exchange: Pick<ContentExchange, "bring">;
  readonly #have: Pick<HaveService, "holders">;

  constructor(
    store: Store,
    exchange: Pick<ContentExchange, "bring">,
    have: Pick<HaveService, "holders">,
  ) {
    this.home = store.home;
    this.scratchDir = store.scratchDir;
    this.sweeper = store.sweeper;
    this.#store = store;
    this.#exchange = exchange;
    this.#have = have;
  }

  /** A copy that turns out to be damaged is set aside by the store, and fetched again. */
  async read(id: Cid): Promise<Uint8Array> {
    const [isHere] = await this.#store.has([id]);
    if (isHere !== true) await this.#exchange.bring([id]);
    try {
      return await this.#store.read(id);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await this.#exchange.bring([id]);
    return this.#store.read(id);
  }

  async *stream(id: Cid): AsyncIterable<Uint8Array> {
    const [isHere] = await this.#store.has([id]);
    if (isHere !== true) await this.#exchange.bring([id]);
    let skip = 0;
    try {
      for await (const piece of this.#store.stream(id)) {
        skip += piece.length;
        yield piece;
      }
      return;
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
    await this.#exchange.bring([id]);
    for await (const piece of this.#store.stream(id)) {
      const fresh = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - fresh.length;
      if (fresh.length > 0) yield fresh;
    }
  }

  /** Also what a reachable peer holds. */
  async has(ids: readonly Cid[]): Promise<boolean[]> {
    const here = await this.#store.has(ids);
    const missing = ids.filter((_id, i) => here[i] !== true);
    if (missing.length === 0) return here;
    const holders = await this.#have.holders(missing);
    return ids.map((id, i) => here[i] === true || (holders.get(id)?.length ?? 0) > 0);
  }

  commit(batch: CommitBatch): Promise<void> {
    return this.#store.commit(batch);
  }

  getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
    return this.#store.getFacts(keys);
  }

  getResults(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    return this.#store.getResults(refs);
  }

  outputs(prefix: string, max: number): Promise<ArtifactRef[]> {
    return this.#store.outputs(prefix, max);
  }

  marks(): Promise<Mark[]> {
    return this.#store.marks();
  }

  facts(): AsyncIterable<Fact> {
    return this.#store.facts();
  }

  putBytes(data: Uint8Array, codec: "raw" | "messagepack"): Promise<{ id: Cid; bytes: number }> {
    return this.#store.putBytes(data, codec);
  }

  putFile(path: string): Promise<{ id: Cid; bytes: number }> {
    return this.#store.putFile(path);
  }

  locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    return this.#store.locate(ids);
  }

  runs(flow?: string): Promise<RunSummary[]> {
    return this.#store.runs(flow);
  }

  areGone(runs: readonly RunRef[]): Promise<boolean[]> {
    return this.#store.areGone(runs);
  }

  getRun(run: RunRef): Promise<RunSummary | undefined> {
    return this.#store.getRun(run);
  }

  journal(run: RunRef): AsyncIterable<JournalEntry> {
    return this.#store.journal(run);
  }

  stats(): Promise<{ bytes: number; freeBytes: number; segments: number }> {
    return this.#store.stats();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function isAbsent(error: unknown): boolean {
  return isMfError(error, "CONTENT_MISSING") || isMfError(error, "CONTENT_MISMATCH");
}
