/** What each peer's lanes carried lately, for the price of bringing bytes from it. */
import type { PeerId } from "../../src/model/peer.ts";
import { BANDWIDTH_BYTES_MIN, BANDWIDTH_PEERS_MAX, BANDWIDTH_WEIGHT } from "./bulk-limits.ts";

interface Measured {
  bytes: number;
  ms: number;
  perSecond: number | undefined;
}

export class Bandwidth {
  readonly #peers = new Map<PeerId, Measured>();

  add(peer: PeerId, bytes: number, ms: number): void {
    const known = this.#peers.get(peer) ?? { bytes: 0, ms: 0, perSecond: undefined };
    if (this.#peers.size >= BANDWIDTH_PEERS_MAX && !this.#peers.has(peer)) this.#peers.clear();
    this.#peers.set(peer, known);
    known.bytes += bytes;
    known.ms += ms;
    if (known.bytes < BANDWIDTH_BYTES_MIN || known.ms <= 0) return;
    const latest = (known.bytes / known.ms) * 1000;
    const before = known.perSecond ?? latest;
    known.perSecond = before + (latest - before) * BANDWIDTH_WEIGHT;
    known.bytes = 0;
    known.ms = 0;
  }

  /** Bytes a second; undefined where nothing came from it yet. */
  of(peer: PeerId): number | undefined {
    return this.#peers.get(peer)?.perSecond;
  }
}
