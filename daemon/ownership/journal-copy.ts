/**
 * This peer's copy of one run's journal: who wrote which part of it, how long it is, whether it has ended. All writes go through
 * here, one after another, so a position is known when it is written; what they say is durable before it counts.
 */
import { resultIdOf } from "../../src/artifact/result-id.ts";
import { contentsNamedBy } from "../../src/model/fact.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunOwner } from "../../src/model/journal.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { CommitBatch, InlineContent, Store } from "../../src/store/ports.ts";
import type { JournalSpan, JournalView } from "../../src/wire/ownership-protocol.ts";
import type { CopyState } from "./ownership-events.ts";
import { ENDED_RECENT_BYTES_MAX } from "./ownership-limits.ts";
import { PageRoom, RecentEntries, withinPage, type PageBody } from "./recent-entries.ts";

export interface CopyWrite extends Omit<CommitBatch, "journal"> {
  readonly entries: readonly JournalEntry[];
  /** @default the journal's length */
  readonly from?: number;
}

interface OwnerEntry {
  readonly at: number;
  readonly owner: RunOwner;
  readonly keepers: readonly PeerId[];
}

export type CopyStore = Pick<Store, "commit" | "journal" | "getResults" | "locate" | "getRun">;

export class JournalCopy {
  readonly run: RunRef;
  readonly #store: CopyStore;
  readonly #recent = new RecentEntries();
  #length = 0;
  #owners: readonly OwnerEntry[] = [];
  #end: number | undefined;
  /** Package and parameters: what going on needs besides the journal. */
  #content: readonly Cid[] = [];
  #writing: Promise<unknown> = Promise.resolve();

  constructor(run: RunRef, store: CopyStore) {
    this.run = run;
    this.#store = store;
  }

  static async load(run: RunRef, store: CopyStore): Promise<JournalCopy> {
    const copy = new JournalCopy(run, store);
    for await (const entry of store.journal(run)) copy.#absorb([entry], copy.#length);
    return copy;
  }

  /** Who will own a run that is about to begin; its entry follows. */
  expect({ owner, keepers }: Pick<OwnerEntry, "owner" | "keepers">): void {
    this.#owners = [{ at: 1, owner, keepers }];
  }

  get view(): JournalView {
    return { length: this.#length, spans: this.#spans(), hasEnded: this.#end !== undefined };
  }

  get state(): CopyState {
    const last = this.#owners.at(-1);
    const holders = new Set(this.#owners.flatMap((entry) => [entry.owner.peer, ...entry.keepers]));
    return {
      view: this.view,
      by: last?.owner,
      keepers: last?.keepers ?? [],
      holders: [...holders],
    };
  }

  get content(): readonly Cid[] {
    return this.#content;
  }

  /** `make` sees the journal as it will be written to; undefined writes nothing. Resolves when durable; true where it wrote. */
  write(make: (view: JournalView) => CopyWrite | undefined): Promise<boolean> {
    const result = this.#writing.then(() => this.#write(make));
    this.#writing = result.catch(() => undefined);
    return result;
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(make: (view: JournalView) => CopyWrite | undefined): Promise<boolean> {
    const write = make(this.view);
    if (write === undefined) return false;
    const { entries, from = this.#length, ...batch } = write;
    if (entries.length === 0) {
      await this.#store.commit(batch);
      return true;
    }
    await this.#store.commit({ ...batch, journal: { run: this.run, entries, from } });
    if (from !== this.#length) this.#recent.clear();
    this.#recent.add({ from, entries, facts: batch.facts ?? [], inline: batch.inline ?? [] });
    this.#absorb(entries, from);
    // Keepers that are away may be waited for long after the end.
    if (this.#end !== undefined) this.#recent.shrink(ENDED_RECENT_BYTES_MAX);
    return true;
  }

  /** A page of what is durable, from memory or from the store. */
  async page(from: number): Promise<PageBody> {
    if (from >= this.#length) return { from, entries: [], facts: [], inline: [] };
    return this.#complete(this.#recent.page(from) ?? (await this.#storedEntries(from)));
  }

  async #storedEntries(from: number): Promise<PageBody> {
    const room = new PageRoom();
    const entries: JournalEntry[] = [];
    let position = 0;
    for await (const entry of this.#store.journal(this.run)) {
      if (position++ < from) continue;
      if (!room.takes(entry)) break;
      entries.push(entry);
    }
    return { from, entries, facts: [], inline: [] };
  }

  /** With every fact that its entries name (one that was reused was made durable long before), and what of their content is small. */
  async #complete({ from, entries, facts, inline }: PageBody): Promise<PageBody> {
    const known = new Set(facts.map((fact) => `${fact.memoKey}.${resultIdOf(fact)}`));
    const named = entries.flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks : []));
    const missing = named.filter(({ memoKey, result }) => !known.has(`${memoKey}.${result}`));
    if (missing.length === 0) return { from, entries, facts, inline };
    const found = (await this.#store.getResults(missing)).filter((fact) => fact !== undefined);
    const ids = [...new Set(found.flatMap(contentsNamedBy))];
    const places = await this.#store.locate(ids);
    const small = ids.flatMap((id, position): InlineContent[] => {
      const place = places[position];
      return place !== undefined && "inline" in place ? [{ id, data: place.inline }] : [];
    });
    return {
      from,
      entries,
      facts: [...facts, ...found],
      inline: withinPage([...inline, ...small]),
    };
  }

  #absorb(entries: readonly JournalEntry[], from: number): void {
    const owners = this.#owners.filter((owner) => owner.at < from);
    if (this.#end !== undefined && this.#end >= from) this.#end = undefined;
    for (const [offset, entry] of entries.entries()) {
      const at = from + offset;
      if (entry.t === "owner-changed")
        owners.push({ at, owner: entry.owner, keepers: entry.keepers });
      else if (entry.t === "run-finished") this.#end = at;
      else if (entry.t === "run-started") this.#content = contentsOf(entry);
    }
    this.#owners = owners;
    this.#length = from + entries.length;
  }

  /** A change of keepers alone begins no span. */
  #spans(): JournalSpan[] {
    const spans: JournalSpan[] = [];
    for (const { at, owner } of this.#owners) {
      const last = spans.at(-1);
      if (last?.ballot !== owner.ballot || last.peer !== owner.peer)
        spans.push({ ballot: owner.ballot, peer: owner.peer, from: at });
    }
    return spans;
  }
}

/** What a run is begun with: without it nobody can go on. */
function contentsOf({
  packageId,
  params,
  sources = {},
}: Extract<JournalEntry, { t: "run-started" }>): Cid[] {
  const pins = Object.values(sources).map(({ id }) => id);
  return [...new Set([packageId, ...Object.values(params), ...pins])];
}
