/** What is fetched, and what whoever wants it is told meanwhile. */
import type { Codec } from "../../src/artifact/cid.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Want } from "./thread-messages.ts";

/** Pieces that the same peers can give. */
export interface PieceGroup {
  readonly wants: readonly Want[];
  readonly peers: readonly PeerId[];
  readonly known: readonly { readonly codec: Codec; readonly data: Uint8Array }[];
}

export interface ContentFetchOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number) => void;
  /** A peer that served wrong bytes: not to be asked again for this. */
  readonly onWrong: (peer: PeerId) => void;
  /** A peer that stalled, could not be reached or has it no more: others first from now on. */
  readonly onLeft: (peer: PeerId) => void;
  /** Left free on the disk beside what is fetched. */
  readonly reserveBytes: () => number;
  /** Further peers that hold all of the group; asked only where it is large. */
  readonly moreSources: () => Promise<readonly PeerId[]>;
}

/** What a transfer tells whoever it is made for. */
export interface TransferOptions extends Pick<
  ContentFetchOptions,
  "signal" | "onWrong" | "onLeft" | "moreSources"
> {
  /** Verified; it may be that it is not durable in the end. */
  readonly onProgress: (bytes: number) => void;
  /** A piece is durable here. */
  readonly onStored: (digest: string, bytes: number) => void;
}
