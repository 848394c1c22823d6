/** What the answers of others amount to, before a claim. Pure. */
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JournalView } from "../../src/wire/ownership-protocol.ts";
import { compareOwners, isAhead } from "./journal-agreement.ts";
import { NOBODY, type OtherState } from "./ownership-events.ts";

/** Each once, without ourselves; only those that are there, unless nothing is known of who is (after a restart). */
export function peersToAsk(
  whom: readonly PeerId[],
  self: PeerId,
  alive: ReadonlySet<PeerId> | undefined,
): PeerId[] {
  const others = [...new Set(whom)].filter((peer) => peer !== self && peer !== NOBODY.peer);
  return others.filter((peer) => alive?.has(peer) ?? true);
}

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
