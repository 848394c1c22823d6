/** What a collection begins with: which runs stay and which were removed, and where their journals and facts are read. */
import { runText, type Cid, type RunId, type RunRef } from "../../model/ids.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { JournalEntry } from "../../model/journal.ts";
import { isSet, type Mark } from "../../model/mark.ts";
import type { Store } from "../../store/ports.ts";
import { hasEnded } from "../run-result.ts";
import type { FilesElsewhere } from "./named-set.ts";

export interface RootRun {
  readonly run: RunRef;
  readonly hasEnded: boolean;
  readonly createdAt: number;
}

export interface Roots {
  readonly kept: readonly RootRun[];
  readonly removed: readonly RemovedRun[];
  readonly marks: readonly Mark[];
  journal(run: RunRef): Promise<readonly JournalEntry[]>;
  /** Those of journals that are not in this store. */
  factsElsewhere(refs: readonly FactRef[]): Promise<readonly Fact[]>;
  readonly filesElsewhere: FilesElsewhere;
  /** Whoever may know of runs has answered: asked after all of the above. Otherwise what no run names may be somebody's. */
  isComplete(): boolean;
}

export interface RemovedRun {
  readonly run: RunRef;
  /** When it was removed; undefined of a run that is about to be. */
  readonly at?: number;
}

/** Of a store that nobody shares. `alsoRemoved`: as if they were. */
export async function localRoots(
  store: Store,
  alsoRemoved: ReadonlySet<string> = new Set(),
): Promise<Roots> {
  const marks = await store.marks();
  const kept: RootRun[] = [];
  const removed: RemovedRun[] = removedRuns(marks);
  for (const summary of await store.runs()) {
    const root = { run: summary.run, hasEnded: hasEnded(summary), createdAt: summary.createdAt };
    if (root.hasEnded && alsoRemoved.has(runText(summary.run))) removed.push({ run: summary.run });
    else kept.push(root);
  }
  return {
    kept,
    removed,
    marks,
    async journal(run) {
      const entries: JournalEntry[] = [];
      for await (const entry of store.journal(run)) entries.push(entry);
      return entries;
    },
    factsElsewhere: async () => [],
    filesElsewhere: async () => new Map(),
    isComplete: () => true,
  };
}

export function removedRuns(marks: readonly Mark[]): RemovedRun[] {
  return marks.flatMap((mark) => {
    const run = mark.kind === "gone" && isSet(mark) ? parseRunText(mark.on) : undefined;
    return run === undefined ? [] : [{ run, at: mark.at }];
  });
}

export function pinnedContents(marks: readonly Mark[]): Cid[] {
  return marks.flatMap((mark) =>
    mark.kind === "pin" && isSet(mark) && mark.on.startsWith("c:")
      ? [mark.on.slice("c:".length) as Cid]
      : [],
  );
}

/** Undefined where it names no run. */
export function parseRunText(text: string): RunRef | undefined {
  const at = text.lastIndexOf("/");
  if (at <= 0 || at === text.length - 1) return undefined;
  return { flow: text.slice(0, at), id: text.slice(at + 1) as RunId };
}
