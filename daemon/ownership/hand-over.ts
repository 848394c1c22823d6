/** An owner that is about to stop asks its keepers, one after another, to take the run over. Pure. */
import type { PeerId } from "../../src/model/peer.ts";
import type { OwnershipEffect } from "./ownership-events.ts";

export class HandOver {
  #tried: Set<PeerId> | undefined;

  begin(): void {
    this.#tried ??= new Set();
  }

  /** Asks the first that was not asked yet; says so where nobody is left, or nothing was to be handed over. */
  next(able: readonly PeerId[]): OwnershipEffect[] {
    const tried = this.#tried;
    if (tried === undefined) return [{ t: "hand-over-ended", isDone: false }];
    const to = able.find((peer) => !tried.has(peer));
    if (to === undefined) return this.end(false);
    tried.add(to);
    return [{ t: "ask-own", to }];
  }

  end(isDone: boolean): OwnershipEffect[] {
    if (this.#tried === undefined) return [];
    this.#tried = undefined;
    return [{ t: "hand-over-ended", isDone }];
  }
}
