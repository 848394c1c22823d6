/** What the owner knows of its keepers' copies: how far each is, what is on its way, when to try again. Pure. */
import type { PeerId } from "../../src/model/peer.ts";
import type { OwnershipEffect } from "./ownership-events.ts";
import { APPEND_PAUSE_MS, APPEND_RETRY_MS } from "./ownership-limits.ts";

interface Replica {
  /** Entries it is known to have; undefined until it has answered. */
  acked: number | undefined;
  isAppending: boolean;
  /** The journal's length when the page on its way was made; less acknowledged means that the page was full. */
  sentLength: number;
  isBehind: boolean;
  content: "missing" | "asked" | "stored";
  retryAt: number;
}

interface JournalExtent {
  readonly length: number;
  readonly hasEnded: boolean;
}

export class ReplicaSet {
  #replicas = new Map<PeerId, Replica>();
  /** When those that have all but the latest entries are sent them: together, so that one page serves them all. */
  #roundAt = -Infinity;

  /** Keeps what is known of those that stay. */
  choose(keepers: readonly PeerId[]): void {
    this.#replicas = new Map(
      keepers.map((peer) => [
        peer,
        this.#replicas.get(peer) ?? {
          acked: undefined,
          isAppending: false,
          sentLength: 0,
          isBehind: false,
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
    replica.isBehind = length < replica.sentLength;
  }

  failed(peer: PeerId, now: number): void {
    const replica = this.#replicas.get(peer);
    if (replica === undefined) return;
    replica.isAppending = false;
    replica.isBehind = true;
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

  /** What to send now to those that are alive. The end of a run waits for no round. */
  pump(
    { length, hasEnded }: JournalExtent,
    alive: ReadonlySet<PeerId>,
    now: number,
  ): OwnershipEffect[] {
    const effects: OwnershipEffect[] = [];
    const isRound = this.#roundAt <= now;
    for (const [peer, replica] of this.#replicas) {
      if (!alive.has(peer) || replica.retryAt > now) continue;
      const mayAppend = isRound || hasEnded || isUrgent(replica);
      if (!replica.isAppending && replica.acked !== length && mayAppend) {
        if (isRound) this.#roundAt = now + APPEND_PAUSE_MS;
        replica.isAppending = true;
        replica.sentLength = length;
        effects.push({ t: "send-append", to: peer, from: replica.acked ?? length });
      }
      if (replica.content === "missing" && (replica.acked ?? 0) > 0) {
        replica.content = "asked";
        effects.push({ t: "ask-keep", to: peer });
      }
    }
    return effects;
  }

  /** When something that failed is to be tried again, or the next round begins. */
  nextSendAt(length: number, alive: ReadonlySet<PeerId>, now: number): number {
    let at = Infinity;
    for (const [peer, replica] of this.#replicas) {
      if (!alive.has(peer)) continue;
      const lacks = replica.acked !== length;
      if ((lacks || replica.content === "missing") && replica.retryAt > now)
        at = Math.min(at, replica.retryAt);
      const awaitsRound = lacks && !replica.isAppending && replica.retryAt <= now;
      if (awaitsRound && this.#roundAt > now) at = Math.min(at, this.#roundAt);
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

/** It has nothing yet, or less than was there when it was last sent to. */
function isUrgent({ acked, isBehind }: Replica): boolean {
  return acked === undefined || acked === 0 || isBehind;
}
