/** The peer that a person means: by its name, its id, or a unique beginning or end of the id. */
import { MfError } from "../../src/model/errors.ts";
import type { PeerView } from "../../src/model/peer.ts";
import { peerName } from "../../src/wire/peer-directory.ts";

/** Ids begin alike (12D3Koo…), so people also copy the end, which is what a peer without a name is shown by. */
const PART_CHARS_MIN = 4;
const CANDIDATES_SHOWN = 5;

/** @throws MfError PEER_NOT_FOUND, PATHSPEC_AMBIGUOUS */
export function findPeer(peers: readonly PeerView[], text: string): PeerView {
  const exact = peers.filter((peer) => peer.id === text);
  const named = peers.filter((peer) => peerName(peer, peer.id) === text);
  const partly =
    text.length < PART_CHARS_MIN
      ? []
      : peers.filter((peer) => peer.id.startsWith(text) || peer.id.endsWith(text));
  const fitting = [exact, named, partly].find((list) => list.length > 0) ?? [];
  const [found] = fitting;
  if (found === undefined) throw new MfError("PEER_NOT_FOUND", { peer: text });
  if (fitting.length > 1) {
    const candidates = fitting
      .slice(0, CANDIDATES_SHOWN)
      .map((peer) => `${peerName(peer, peer.id)} (${peer.id})`)
      .join(", ");
    throw new MfError("PATHSPEC_AMBIGUOUS", { text, candidates });
  }
  return found;
}
