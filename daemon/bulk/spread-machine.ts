/**
 * Which peer is asked to keep a copy of what. Rendezvous hashing: for one content everybody ranks the peers the same way, so copies of
 * equal things meet at the same peers, and a peer that leaves moves only its own. Pure. Rules B8 and B9 in the README.
 */
import { digestHexOf } from "../../src/artifact/cid.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  SPREAD_AT_ONCE,
  SPREAD_IDS_MAX,
  SPREAD_QUEUE_MAX,
  SPREAD_RETRY_MS,
} from "./bulk-limits.ts";

export type SpreadEvent =
  /** `holders`: others that are known to hold it. */
  | {
      readonly t: "spread";
      readonly contents: readonly { readonly id: Cid; readonly holders: readonly PeerId[] }[];
      readonly copies: number;
    }
  /** Alive peers that may keep copies; said again now and then, which is when the time of retries comes. */
  | { readonly t: "peers"; readonly peers: readonly PeerId[] }
  /** To one `ask`: which of its ids the peer holds now; none where it did not answer. */
  | {
      readonly t: "answered";
      readonly peer: PeerId;
      readonly ids: readonly Cid[];
      readonly held: readonly boolean[];
    };

export type SpreadEffect = {
  readonly t: "ask";
  readonly peer: PeerId;
  readonly ids: readonly Cid[];
};

interface Spreading {
  readonly id: Cid;
  /** In all, this peer's own included. */
  copies: number;
  readonly holders: Set<PeerId>;
  readonly asking: Set<PeerId>;
  /** Peers that refused since the last pause. */
  readonly refused: Set<PeerId>;
  notBefore: number;
}

export class SpreadMachine {
  readonly #queue = new Map<Cid, Spreading>();
  #peers: readonly PeerId[] = [];
  #asking = 0;

  /** Contents that do not have all their copies yet. */
  get pending(): number {
    return this.#queue.size;
  }

  step(event: SpreadEvent, now: number): SpreadEffect[] {
    switch (event.t) {
      case "spread":
        for (const { id, holders } of event.contents) this.#add(id, holders, event.copies);
        break;
      case "peers":
        this.#peers = event.peers;
        break;
      case "answered":
        this.#asking--;
        for (const [i, id] of event.ids.entries()) {
          this.#answered(id, event.peer, event.held[i] === true);
        }
        break;
    }
    return this.#ask(now);
  }

  #add(id: Cid, holders: readonly PeerId[], copies: number): void {
    const known = this.#queue.get(id);
    if (known !== undefined) {
      known.copies = Math.max(known.copies, copies);
      for (const peer of holders) known.holders.add(peer);
      return;
    }
    if (holders.length + 1 >= copies) return;
    const [oldest] = this.#queue.keys();
    if (this.#queue.size >= SPREAD_QUEUE_MAX && oldest !== undefined) this.#queue.delete(oldest);
    this.#queue.set(id, {
      id,
      copies,
      holders: new Set(holders),
      asking: new Set(),
      refused: new Set(),
      notBefore: 0,
    });
  }

  #answered(id: Cid, peer: PeerId, isHeld: boolean): void {
    const spreading = this.#queue.get(id);
    if (spreading === undefined) return;
    spreading.asking.delete(peer);
    if (isHeld) spreading.holders.add(peer);
    else spreading.refused.add(peer);
    if (spreading.holders.size + 1 >= spreading.copies) this.#queue.delete(id);
  }

  #ask(now: number): SpreadEffect[] {
    const effects: SpreadEffect[] = [];
    while (this.#asking < SPREAD_AT_ONCE) {
      const batch = this.#nextBatch(now);
      if (batch === undefined) break;
      this.#asking++;
      effects.push(batch);
    }
    return effects;
  }

  /** The first content that lacks a copy says the peer; others that would go there come along. */
  #nextBatch(now: number): SpreadEffect | undefined {
    let peer: PeerId | undefined;
    const ids: Cid[] = [];
    let looked = 0;
    for (const spreading of this.#queue.values()) {
      if (ids.length === SPREAD_IDS_MAX || looked === SPREAD_IDS_MAX * 4) break;
      if (spreading.notBefore > now || this.#lacking(spreading) <= 0) continue;
      looked++;
      const best = this.#best(spreading, now);
      if (best === undefined || (peer !== undefined && best !== peer)) continue;
      peer = best;
      spreading.asking.add(best);
      ids.push(spreading.id);
    }
    return peer === undefined ? undefined : { t: "ask", peer, ids };
  }

  #lacking({ copies, holders, asking }: Spreading): number {
    return copies - 1 - holders.size - asking.size;
  }

  #best(spreading: Spreading, now: number): PeerId | undefined {
    const { id, holders, asking, refused } = spreading;
    const free = this.#peers.filter((peer) => !holders.has(peer) && !asking.has(peer));
    const willing = free.filter((peer) => !refused.has(peer));
    const [first] = rendezvous(id, willing);
    if (first !== undefined) return first;
    // Everybody refused once, or nobody is there: from the top again, later.
    refused.clear();
    spreading.notBefore = now + SPREAD_RETRY_MS;
    return undefined;
  }
}

/** The peers in the order in which they should hold `id`: the same wherever it is computed. */
export function rendezvous(id: Cid, peers: readonly PeerId[]): PeerId[] {
  return peers
    .map((peer) => ({ peer, score: digestHexOf(Buffer.from(`${id} ${peer}`)) }))
    .sort((a, b) => (a.score < b.score ? 1 : -1))
    .map(({ peer }) => peer);
}
