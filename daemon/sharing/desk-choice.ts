/** Which peer is the desk of a code: rendezvous hashing over the alive, so that all who see the same peers choose the same one. */
import { hash } from "node:crypto";
import type { CodeId } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";

const PRINT_CHARS = 8;

export class DeskChoice {
  /** Never more than there are peers. */
  readonly #peers = new Map<PeerId, number>();

  /** Undefined of nobody. Cheap: a flow of hundreds of steps asks it of dozens of peers at once. */
  of(code: CodeId, peers: readonly PeerId[]): PeerId | undefined {
    const codePrint = printOf(code);
    let best: PeerId | undefined;
    let bestScore = -1;
    for (const peer of peers) {
      let peerPrint = this.#peers.get(peer);
      if (peerPrint === undefined) this.#peers.set(peer, (peerPrint = printOf(peer)));
      const score = mixed(codePrint, peerPrint);
      if (score < bestScore || (score === bestScore && best !== undefined && best < peer)) continue;
      best = peer;
      bestScore = score;
    }
    return best;
  }
}

function printOf(text: string): number {
  return Number.parseInt(hash("sha256", text).slice(0, PRINT_CHARS), 16);
}

/** Every bit of either changes every bit of the result (the last steps of MurmurHash3). */
function mixed(a: number, b: number): number {
  let bits = Math.imul(a, 0x9e37_79b1) ^ b;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
