/** Who is in the mesh and how they are, for whoever places work or looks for copies. daemon/membership implements it. */
import type { PeerId, PeerState, PeerView } from "../model/peer.ts";

export type PeerEvent =
  | { readonly t: "changed"; readonly peer: PeerView; readonly was: PeerState | undefined }
  /** Its process is known to be gone (nobody listens where it did): what it was doing can be done elsewhere at once. */
  | { readonly t: "gone"; readonly peer: PeerId }
  /** A process of this peer with another boot counter is back: what the former was doing is lost. */
  | { readonly t: "restarted"; readonly peer: PeerId };

export interface PeerDirectory {
  readonly self: PeerId;
  /** Every peer ever heard of and not forgotten, this one included. */
  peers(): readonly PeerView[];
  get(peer: PeerId): PeerView | undefined;
  subscribe(listener: (event: PeerEvent) => void): () => void;
}

/** Alive peers other than this one. */
export function othersAlive(directory: PeerDirectory): PeerView[] {
  return directory.peers().filter((peer) => !peer.isSelf && peer.state === "alive");
}

/** The name people know a peer by; its id's end where it has not said one yet. */
export function peerName(view: PeerView | undefined, id: PeerId): string {
  return view?.profile?.name ?? id.slice(-8);
}
