/** The directory as ownership needs it: who is there, who could keep a run, and when that changes. */
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { PeerDirectory, PeerEvent } from "../../src/wire/peer-directory.ts";
import { rankPeers } from "./keeper-rank.ts";
import type { PeersNow } from "./ownership-events.ts";

export interface PeerWatchOptions {
  readonly self: PeerId;
  readonly weightOf: (peer: PeerId) => number;
  readonly changed: () => void;
}

export class PeerWatch {
  readonly #directory: PeerDirectory;
  readonly #options: PeerWatchOptions;
  readonly #unsubscribe: () => void;
  /** Known to be gone before membership has its verdict. Never more than the directory has peers. */
  readonly #gone = new Set<PeerId>();

  constructor(directory: PeerDirectory, options: PeerWatchOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#unsubscribe = directory.subscribe((event) => this.#heard(event));
  }

  now(run: RunRef): PeersNow {
    const there = this.#directory.peers().filter((peer) => this.#isThere(peer));
    const able = there.filter((peer) => !peer.isSelf && peer.state === "alive" && mayKeep(peer));
    return {
      ranked: rankPeers(
        run,
        able.map((peer) => peer.id),
        this.#options.weightOf,
      ),
      alive: new Set([this.#options.self, ...there.map((peer) => peer.id)]),
    };
  }

  close(): void {
    this.#unsubscribe();
  }

  /** A suspect may only be slow: it gets nothing new, and nobody takes its place yet. */
  #isThere({ id, state }: PeerView): boolean {
    return (state === "alive" || state === "suspect") && !this.#gone.has(id);
  }

  #heard(event: PeerEvent): void {
    if (event.t === "gone") this.#gone.add(event.peer);
    else if (event.t === "restarted") this.#gone.delete(event.peer);
    // Its record changing (load) is no news; its state is.
    else if (event.was === event.peer.state) return;
    else this.#gone.delete(event.peer.id);
    this.#options.changed();
  }
}

/** A peer that has not said what it is for is given the time to. */
function mayKeep({ profile, load }: PeerView): boolean {
  if (profile === undefined || !profile.roles.includes("store")) return false;
  return load === undefined || load.store === "rw" || load.store === "tight";
}
