/** The latest entries of a run that is owned here, with their facts: what its keepers are sent without a read. Bounded by bytes. */
import type { Fact } from "../../src/model/fact.ts";
import type { JournalEntry } from "../../src/model/journal.ts";
import type { InlineContent } from "../../src/store/ports.ts";
import {
  PAGE_ENTRIES,
  PAGE_ENTRY_BYTES_MAX,
  PAGE_INLINE_BYTES_MAX,
  PAGE_TASKS,
  RECENT_BYTES_MAX,
} from "./ownership-limits.ts";
import { entryBytes } from "../../src/wire/wire-entry.ts";

export interface PageBody {
  readonly from: number;
  readonly entries: readonly JournalEntry[];
  readonly facts: readonly Fact[];
  readonly inline: readonly InlineContent[];
}

interface RecentBatch extends PageBody {
  readonly bytes: number;
}

export class RecentEntries {
  #batches: RecentBatch[] = [];
  #bytes = 0;

  add(body: PageBody): void {
    const bytes =
      body.inline.reduce((sum, { data }) => sum + data.length, 0) +
      FACT_BYTES * body.facts.length +
      body.entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    this.#batches.push({ ...body, bytes });
    this.#bytes += bytes;
    this.shrink(RECENT_BYTES_MAX);
  }

  /** The latest batch stays, whatever its size. */
  shrink(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#batches.length > 1)
      this.#bytes -= this.#batches.shift()?.bytes ?? 0;
  }

  clear(): void {
    this.#batches = [];
    this.#bytes = 0;
  }

  /** Whole commits from `from` on, as many as a page takes; undefined where they are not here any more. */
  page(from: number): PageBody | undefined {
    const first = this.#batches.findIndex((batch) => batch.from === from);
    if (first < 0) return undefined;
    const room = new PageRoom();
    const taken: PageBody[] = [];
    for (const batch of this.#batches.slice(first)) {
      const fits = batch.entries.every((entry) => room.takes(entry));
      if (taken.length > 0 && !fits) break;
      taken.push(batch);
    }
    return {
      from,
      entries: taken.flatMap((batch) => batch.entries),
      facts: taken.flatMap((batch) => batch.facts),
      inline: withinPage(taken.flatMap((batch) => batch.inline)),
    };
  }
}

/** About what a fact or an entry takes on the wire; only bounds depend on it. */
const FACT_BYTES = 700;

/** Counts what goes into a page. */
export class PageRoom {
  #entries = 0;
  #tasks = 0;
  #bytes = 0;

  takes(entry: JournalEntry): boolean {
    this.#entries++;
    this.#bytes += entryBytes(entry);
    if (entry.t === "tasks-succeeded") this.#tasks += entry.tasks.length;
    const fits =
      this.#entries <= PAGE_ENTRIES &&
      this.#tasks <= PAGE_TASKS &&
      this.#bytes <= PAGE_ENTRY_BYTES_MAX;
    return fits || this.#entries === 1;
  }
}

/** As much as a page takes: what is left out is brought when it is needed. */
export function withinPage(inline: readonly InlineContent[]): InlineContent[] {
  let bytes = 0;
  return inline.filter(({ data }) => (bytes += data.length) <= PAGE_INLINE_BYTES_MAX);
}
