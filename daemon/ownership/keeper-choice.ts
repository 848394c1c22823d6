/** Who is to keep a run, given who keeps it and who is there. Pure. */
import type { PeerId } from "../../src/model/peer.ts";
import type { PeersNow } from "./ownership-events.ts";
import { CLAIM_STAGGER_MS, KEEPERS_COUNT, UNSEEN_OWNER_WAIT_MS } from "./ownership-limits.ts";

/** Of a new owner: the keepers that are alive, in their order; then others; the dead only where nobody else is there. */
export function keepersOfClaim(
  keepers: readonly PeerId[],
  { alive, ranked }: PeersNow,
  self: PeerId,
): PeerId[] {
  const old = keepers.filter((peer) => peer !== self);
  const chosen = new Set([...old.filter((peer) => alive.has(peer)), ...ranked, ...old]);
  return [...chosen].slice(0, KEEPERS_COUNT);
}

/** One keeper that is gone replaced, or one that lacks added; undefined where nothing can be better. */
export function mendedKeepers(
  keepers: readonly PeerId[],
  { alive, ranked }: PeersNow,
): PeerId[] | undefined {
  const gone = keepers.find((peer) => !alive.has(peer));
  const isShort = keepers.length < KEEPERS_COUNT;
  if (gone === undefined && !isShort) return undefined;
  const next = ranked.find((peer) => !keepers.includes(peer));
  if (next === undefined) return undefined;
  return [...(isShort ? keepers : keepers.filter((peer) => peer !== gone)), next];
}

/**
 * How long after the owner is lost it is our turn. Holders that are no keepers (a fenced owner, a replaced keeper) come last; who
 * has just started and never saw the owner waits until membership knows who is there.
 */
export function claimDelayMs(
  keepers: readonly PeerId[],
  self: PeerId,
  hasSeenOwner: boolean,
): number {
  const rank = keepers.indexOf(self);
  const staggerMs = (rank < 0 ? keepers.length + 1 : rank) * CLAIM_STAGGER_MS;
  return hasSeenOwner ? staggerMs : UNSEEN_OWNER_WAIT_MS + staggerMs;
}
