/**
 * Work that other peers ask for, a few at a time for each of them: one that asks without end waits behind itself, and the others do
 * not notice.
 */
import type { PeerId } from "../../src/model/peer.ts";

export interface PeerTurnsOptions {
  /** Of one peer, under way at once. */
  readonly atOnceMax: number;
  /** Of one peer, behind those. */
  readonly waitingMax: number;
}

interface Turns {
  running: number;
  readonly waiting: (() => void)[];
}

export class PeerTurns {
  readonly #options: PeerTurnsOptions;
  /** Only peers for which something runs. */
  readonly #peers = new Map<PeerId, Turns>();

  constructor(options: PeerTurnsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#peers.size;
  }

  /** What the work gives, once it was this peer's turn; undefined where too much of it waits already. */
  async run<T>(peer: PeerId, work: () => Promise<T>): Promise<T | undefined> {
    const { atOnceMax, waitingMax } = this.#options;
    const turns = this.#peers.get(peer) ?? { running: 0, waiting: [] };
    this.#peers.set(peer, turns);
    if (turns.running < atOnceMax) turns.running++;
    else if (turns.waiting.length >= waitingMax) return undefined;
    else await new Promise<void>((resolve) => turns.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Handed on, not given back: nobody who comes later may take it first.
      const next = turns.waiting.shift();
      if (next !== undefined) next();
      else if (--turns.running === 0) this.#peers.delete(peer);
    }
  }
}
