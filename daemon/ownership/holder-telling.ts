/**
 * Who is to be told whose the run is, and has been: every former holder by the owner, again whenever it comes back, until it
 * answers; and by anybody, whoever held what gave way to another owner's entries, because nobody else knows of those. Pure.
 */
import type { PeerId } from "../../src/model/peer.ts";
import type { OwnershipEffect } from "./ownership-events.ts";
import { APPEND_RETRY_MS } from "./ownership-limits.ts";

type Telling = "asked" | "told" | { readonly retryAt: number };

export class HolderTelling {
  readonly #orphans = new Set<PeerId>();
  readonly #tellings = new Map<PeerId, Telling>();

  clear(): void {
    this.#tellings.clear();
  }

  /** It may have missed what happened, or have claimed the run itself. */
  returned(peer: PeerId): void {
    this.#tellings.delete(peer);
  }

  answered(peer: PeerId, isTold: boolean, now: number): void {
    this.#tellings.set(peer, isTold ? "told" : { retryAt: now + APPEND_RETRY_MS });
  }

  /** Our copy gave way: those who held only what it was before. True where there are any. */
  gaveWay(before: readonly PeerId[], after: readonly PeerId[]): boolean {
    const lost = before.filter((peer) => !after.includes(peer));
    for (const peer of lost) this.#orphans.add(peer);
    return lost.length > 0;
  }

  /** `except`: keepers, who hear of everything anyway, the owner, and ourselves. */
  whom(former: readonly PeerId[], except: readonly PeerId[]): PeerId[] {
    const peers = new Set([...former, ...this.#orphans]);
    for (const peer of except) peers.delete(peer);
    return [...peers];
  }

  pump(holders: readonly PeerId[], alive: ReadonlySet<PeerId>, now: number): OwnershipEffect[] {
    const effects: OwnershipEffect[] = [];
    for (const to of holders) {
      const telling = this.#tellings.get(to);
      const isDue =
        telling === undefined || (typeof telling === "object" && telling.retryAt <= now);
      if (!alive.has(to) || !isDue) continue;
      this.#tellings.set(to, "asked");
      effects.push({ t: "tell", to });
    }
    return effects;
  }

  nextRetryAt(holders: readonly PeerId[], alive: ReadonlySet<PeerId>): number {
    const at = holders.map((peer) => {
      const telling = this.#tellings.get(peer);
      return typeof telling === "object" && alive.has(peer) ? telling.retryAt : Infinity;
    });
    return Math.min(...at, Infinity);
  }

  isTold(peer: PeerId): boolean {
    return this.#tellings.get(peer) === "told";
  }
}
