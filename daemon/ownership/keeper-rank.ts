/**
 * Which peers are to keep a run: rendezvous hashing. Every peer computes the same order from the run's name alone, a peer more
 * or less moves few runs, and a weight of one half means half as many.
 */
import { createHash } from "node:crypto";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";

/** Best first. Peers of no weight are left out. */
export function rankPeers(
  run: RunRef,
  peers: Iterable<PeerId>,
  weightOf: (peer: PeerId) => number,
): PeerId[] {
  const scored = [...peers].map((peer) => ({
    peer,
    score: weightOf(peer) / -Math.log(share(run, peer)),
  }));
  return scored
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.peer < b.peer ? -1 : 1))
    .map(({ peer }) => peer);
}

/** In (0, 1), evenly spread. */
function share(run: RunRef, peer: PeerId): number {
  const digest = createHash("sha256")
    .update(`${runText(run)} ${peer}`)
    .digest();
  return (digest.readUIntBE(0, 6) + 1) / (2 ** 48 + 1);
}
