/** What the owner knows of its keepers' copies: how far each is, what is on its way, when to try again. Pure. */
import type { PeerId } from "../../src/model/peer.ts";
import type { OwnershipEffect } from "./ownership-events.ts";
import { APPEND_RETRY_MS } from "./ownership-limits.ts";

interface Replica {
  /** Entries it is known to have; undefined until it has answered. */
  acked: number | undefined;
  isAppending: boolean;
  content: "missing" | "asked" | "stored";
  retryAt: number;
}

export class ReplicaSet {
  #replicas = new Map<PeerId, Replica>();

  /** Keeps what is known of those that stay. */
  choose(keepers: readonly PeerId[]): void {
    this.#replicas = new Map(
      keepers.map((peer) => [
        peer,
        this.#replicas.get(peer) ?? {
          acked: undefined,
          isAppending: false,
          content: "missing",
          retryAt: 0,
        },
      ]),
    );
  }

  /** Another peer owned the run in between: nothing that was known holds. */
  clear(): void {
    this.#replicas.clear();
  }

  answered(peer: PeerId, length: number, now: number): void {
    const replica = this.#replicas.get(peer);
    if (replica === undefined) return;
    // Without progress the same page would be sent again at once, for ever.
    if (replica.acked === length) replica.retryAt = now + APPEND_RETRY_MS;
    replica.acked = length;
    replica.isAppending = false;
  }

  failed(peer: PeerId, now: number): void {
    const replica = this.#replicas.get(peer);
    if (replica === undefined) return;
    replica.isAppending = false;
    replica.retryAt = now + APPEND_RETRY_MS;
  }

  keepAnswered(peer: PeerId, isStored: boolean, now: number): void {
    const replica = this.#replicas.get(peer);
    if (replica === undefined) return;
    replica.content = isStored ? "stored" : "missing";
    if (!isStored) replica.retryAt = now + APPEND_RETRY_MS;
  }

  returned(peer: PeerId): void {
    const replica = this.#replicas.get(peer);
    if (replica !== undefined) replica.retryAt = 0;
  }

  /** What to send now to those that are alive. */
  pump(length: number, alive: ReadonlySet<PeerId>, now: number): OwnershipEffect[] {
    const effects: OwnershipEffect[] = [];
    for (const [peer, replica] of this.#replicas) {
      if (!alive.has(peer) || replica.retryAt > now) continue;
      if (!replica.isAppending && replica.acked !== length) {
        replica.isAppending = true;
        effects.push({ t: "send-append", to: peer, from: replica.acked ?? length });
      }
      if (replica.content === "missing" && (replica.acked ?? 0) > 0) {
        replica.content = "asked";
        effects.push({ t: "ask-keep", to: peer });
      }
    }
    return effects;
  }

  /** When something that failed is to be tried again. */
  nextRetryAt(length: number, alive: ReadonlySet<PeerId>, now: number): number {
    let at = Infinity;
    for (const [peer, replica] of this.#replicas) {
      const isWaiting = replica.acked !== length || replica.content === "missing";
      if (alive.has(peer) && isWaiting && replica.retryAt > now) at = Math.min(at, replica.retryAt);
    }
    return at;
  }

  isSynced(peer: PeerId, length: number): boolean {
    return this.#replicas.get(peer)?.acked === length;
  }

  /** Everything needed to go on is there. */
  isStored(peer: PeerId): boolean {
    const replica = this.#replicas.get(peer);
    return replica?.content === "stored" && (replica.acked ?? 0) > 0;
  }
}
