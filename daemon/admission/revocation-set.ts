/**
 * Whose membership was taken back. Each entry is signed by itself, so two issuers may revoke at once and the sets simply unite; the
 * set only grows (its count is its sequence number), so nobody can be talked into an older one.
 */
import { createHash } from "node:crypto";
import type { PeerId } from "../../src/model/peer.ts";
import type { RevocationHead, Signed } from "../../src/wire/admission-protocol.ts";
import { REVOCATIONS_PER_MESSAGE_MAX } from "../../src/wire/admission-protocol.ts";
import { REVOCATIONS_MAX } from "./admission-limits.ts";
import type { Revocation } from "./certificate.ts";

export class RevocationSet {
  readonly #entries = new Map<PeerId, Revocation>();
  #head: RevocationHead | undefined;

  has(peer: PeerId): boolean {
    return this.#entries.has(peer);
  }

  /** True where it was news. The first entry of a peer stays. */
  add(revocation: Revocation): boolean {
    if (this.#entries.has(revocation.peer) || this.#entries.size >= REVOCATIONS_MAX) return false;
    this.#entries.set(revocation.peer, revocation);
    this.#head = undefined;
    return true;
  }

  /** By peers, so that two peers with the same members have the same digest whatever the order they learnt them in. */
  head(): RevocationHead {
    if (this.#head === undefined) {
      const hash = createHash("sha256");
      for (const peer of [...this.#entries.keys()].sort()) hash.update(`${peer}\n`);
      this.#head = { count: this.#entries.size, digest: new Uint8Array(hash.digest()) };
    }
    return this.#head;
  }

  all(): Signed[] {
    return [...this.#entries.values()].map((entry) => entry.signed);
  }

  /** The list in pieces that fit a message; none where it is empty. */
  pages(): Signed[][] {
    const all = this.all();
    const pages: Signed[][] = [];
    for (let at = 0; at < all.length; at += REVOCATIONS_PER_MESSAGE_MAX) {
      pages.push(all.slice(at, at + REVOCATIONS_PER_MESSAGE_MAX));
    }
    return pages;
  }
}
