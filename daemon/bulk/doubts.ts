/** What others say of our copies: that one of them is bad. We read it again, which verifies it; so much for each peer and no more. */
import { cidFromDigest } from "../../src/artifact/cid.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { DOUBT_WINDOW_MS, DOUBTED_PIECES_MAX, DOUBTS_AT_ONCE_MAX } from "./bulk-limits.ts";

export interface DoubtsDeps {
  readonly store: Pick<Store, "has" | "read">;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Doubter {
  readonly since: number;
  pieces: number;
}

export class Doubts {
  readonly #deps: DoubtsDeps;
  /** Peers that doubted something within the window. */
  readonly #doubters = new Map<PeerId, Doubter>();
  #looking = 0;

  constructor(deps: DoubtsDeps) {
    this.#deps = deps;
  }

  /** Reading verifies: a copy that is bad is set aside by the store, and no longer offered. */
  async look(from: PeerId, digests: readonly string[]): Promise<void> {
    if (this.#looking >= DOUBTS_AT_ONCE_MAX) return;
    const some = digests.slice(0, this.#allowance(from, digests.length));
    this.#looking++;
    try {
      for (const digest of some) await this.#lookAt(from, digest);
    } finally {
      this.#looking--;
    }
  }

  /** Whoever fetches says it once a piece; more than a few a minute only makes our disk work. */
  #allowance(from: PeerId, wanted: number): number {
    const now = this.#deps.clock.monotonic();
    for (const [peer, { since }] of this.#doubters) {
      if (now - since >= DOUBT_WINDOW_MS) this.#doubters.delete(peer);
    }
    const doubter = this.#doubters.get(from) ?? { since: now, pieces: 0 };
    this.#doubters.set(from, doubter);
    const allowed = Math.min(wanted, DOUBTED_PIECES_MAX - doubter.pieces);
    doubter.pieces += allowed;
    return allowed;
  }

  async #lookAt(from: PeerId, digest: string): Promise<void> {
    const { store, logger } = this.#deps;
    try {
      const id = cidFromDigest("raw", digest);
      // What is not here cannot be bad.
      const [isHere] = await store.has([id]);
      if (isHere === true) await store.read(id);
    } catch (error) {
      logger.warn("bulk.own-copy-bad", { from, digest, reason: String(error) });
    }
  }
}
