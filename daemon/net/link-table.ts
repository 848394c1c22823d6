/**
 * All links of this peer: those that greet and, one a peer, the open ones. Decides which of two connections between the same
 * peers stays: where both dialled at once, the one that the smaller id dialled; else the newer, since nobody dials a peer to
 * which it still has a connection.
 */
import type { PeerId } from "../../src/model/peer.ts";
import type { Link } from "./link.ts";
import { GREETINGS_MAX } from "./net-limits.ts";

/** Told to a peer whose connection is one too many; it waits for the other one. */
export const DUPLICATE = "another connection between us is under way";

export class LinkTable {
  readonly #self: PeerId;
  readonly #greeting = new Set<Link>();
  readonly #open = new Map<PeerId, Link>();
  /** Links that were ended and still send what was left. */
  readonly #closing = new Set<Promise<void>>();

  constructor(self: PeerId) {
    this.#self = self;
  }

  get isGreetingFull(): boolean {
    return this.#greeting.size >= GREETINGS_MAX;
  }

  add(link: Link): void {
    if (link.isGreeting) this.#greeting.add(link);
  }

  get(peer: PeerId): Link | undefined {
    return this.#open.get(peer);
  }

  peers(): PeerId[] {
    return [...this.#open.keys()];
  }

  open(): Link[] {
    return [...this.#open.values()];
  }

  all(): Link[] {
    return [...this.#greeting, ...this.#open.values()];
  }

  of(peer: PeerId): Link[] {
    return this.all().filter((link) => link.peer === peer);
  }

  isDuplicate(link: Link): boolean {
    if (link.isDialler || this.#self > link.peer) return false;
    return [...this.#greeting].some((other) => other.peer === link.peer && other.isDialler);
  }

  opened(link: Link): void {
    this.#greeting.delete(link);
    this.#open.set(link.peer, link);
  }

  /** True where it was the peer's open link. */
  ended(link: Link): boolean {
    this.#greeting.delete(link);
    const closing = link.closing.finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
    if (this.#open.get(link.peer) !== link) return false;
    return this.#open.delete(link.peer);
  }

  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }
}
