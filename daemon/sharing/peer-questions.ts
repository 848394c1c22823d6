/**
 * Questions to peers that end early where the peer is lost: so a busy peer can be given time, and a dead one takes none. Who does not
 * answer has said nothing, which is never an error here.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { isMfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { RequestType, Transport } from "../../src/wire/transport.ts";
import { SLOW_PEER_MS } from "./sharing-limits.ts";

export interface PeerQuestionsDeps {
  readonly transport: Pick<Transport, "request">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly logger: Logger;
}

export class PeerQuestions {
  readonly #deps: PeerQuestionsDeps;
  /** Only peers of which something is asked now. */
  readonly #open = new Map<PeerId, Set<AbortController>>();
  readonly #slow = new Map<PeerId, number>();

  constructor(deps: PeerQuestionsDeps) {
    this.#deps = deps;
  }

  /** Undefined where it did not answer. */
  async ask<Q, A>(
    peer: PeerId,
    type: RequestType<Q, A>,
    query: Q,
    timeoutMs: number,
  ): Promise<A | undefined> {
    const { transport, clock, logger } = this.#deps;
    const controller = new AbortController();
    const open = this.#open.get(peer) ?? new Set();
    this.#open.set(peer, open.add(controller));
    try {
      const { signal } = controller;
      return await transport.request(peer, type, query, { timeoutMs, signal });
    } catch (error) {
      const code = isMfError(error) ? error.code : "INTERNAL";
      logger.debug("sharing.unanswered", { peer, question: type.name, code });
      if (code === "PEER_TIMEOUT") this.#slow.set(peer, clock.monotonic() + SLOW_PEER_MS);
      return undefined;
    } finally {
      open.delete(controller);
      if (open.size === 0 && this.#open.get(peer) === open) this.#open.delete(peer);
    }
  }

  /** It did not answer in time a moment ago. */
  isSlow(peer: PeerId): boolean {
    return (this.#slow.get(peer) ?? -Infinity) > this.#deps.clock.monotonic();
  }

  /** Whoever waits for its answers goes on without. */
  lost(peer: PeerId): void {
    this.#slow.delete(peer);
    for (const controller of this.#open.get(peer) ?? []) controller.abort();
  }

  close(): void {
    for (const peer of this.#open.keys()) this.lost(peer);
  }
}
