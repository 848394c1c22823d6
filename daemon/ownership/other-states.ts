/** What the answers of others amount to, before a claim. Pure. */
import type { RunOwner } from "../../src/model/journal.ts";
import type { JournalView } from "../../src/wire/ownership-protocol.ts";
import { compareOwners, isAhead } from "./journal-agreement.ts";
import type { OtherState } from "./ownership-events.ts";

export function highestOwner(others: readonly OtherState[], known: RunOwner): RunOwner {
  let highest = known;
  for (const { by } of others) if (compareOwners(by, highest) > 0) highest = by;
  return highest;
}

/** Whose journal ours must give way to; undefined where ours is as good as any. */
export function furthest(others: readonly OtherState[], ours: JournalView): OtherState | undefined {
  let best: OtherState | undefined;
  for (const other of others) if (isAhead(other.view, best?.view ?? ours)) best = other;
  return best;
}
