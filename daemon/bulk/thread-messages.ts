/** What the main thread and the threads of the bulk lane say to each other. All of one process: trusted. */
import type { Codec } from "../../src/artifact/cid.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { WrittenSegment } from "../../src/store/ports.ts";

/** One piece to bring. */
export interface Want {
  /** sha-256 in hex. */
  readonly digest: string;
  readonly codec: Codec;
  /** Exactly so many, where a manifest says so; else at most `bytesMax`. */
  readonly bytes?: number;
  readonly bytesMax: number;
  /** What it counts against the window. */
  readonly bytesGuess: number;
}

/** Why a peer is no longer a source of a transfer. */
export type DropReason = "wrong" | "stalled" | "unreachable" | "missing" | "slow";

/** A way to a peer, as its ticket says. */
export interface LaneOpening {
  readonly peer: PeerId;
  readonly hosts: readonly string[];
  readonly port: number;
  readonly identity: string;
  readonly key: Uint8Array;
}

export interface FetchThreadOptions {
  readonly scratchDir: string;
  /** Of the scratch segments' names, different for every thread. */
  readonly prefix: string;
  readonly stallMs: number;
}

export type ToFetchThread =
  | {
      readonly t: "transfer";
      readonly transfer: number;
      readonly wants: readonly Want[];
      readonly peers: readonly PeerId[];
      /** Pieces that are here already, verified, and go into the same segment (a manifest). */
      readonly known: readonly { readonly codec: Codec; readonly data: Uint8Array }[];
    }
  | { readonly t: "peer"; readonly transfer: number; readonly peer: PeerId }
  | { readonly t: "cancel"; readonly transfer: number }
  | ({ readonly t: "lane" } & LaneOpening)
  | { readonly t: "no-lane"; readonly peer: PeerId };

export type FromFetchThread =
  | { readonly t: "need-lane"; readonly peer: PeerId }
  | { readonly t: "segment"; readonly transfer: number; readonly segment: WrittenSegment }
  /** Verified bytes of a transfer since the last report. */
  | { readonly t: "progress"; readonly transfer: number; readonly bytes: number }
  /** What a peer's lane carried in the time in which it owed something. */
  | { readonly t: "lane-speed"; readonly peer: PeerId; readonly bytes: number; readonly ms: number }
  | {
      readonly t: "dropped";
      readonly transfer: number;
      readonly peer: PeerId;
      readonly why: DropReason;
      /** The piece it was dropped for. */
      readonly digest?: string;
    }
  /** `failure`: the system's code of a write that failed here. */
  | {
      readonly t: "ended";
      readonly transfer: number;
      readonly missing: number;
      readonly failure?: { readonly code: string; readonly message: string };
    };

export interface ServeThreadOptions {
  readonly host: string;
  readonly idleMs: number;
}

/** Where the bytes of a piece are; undefined where it is not here. */
export type ServedPiece =
  | { readonly inline: Uint8Array }
  | { readonly file: string; readonly offset: number; readonly bytes: number }
  | undefined;

export type ToServeThread =
  | {
      readonly t: "ticket";
      readonly peer: PeerId;
      readonly identity: string;
      readonly key: Uint8Array;
      readonly ttlMs: number;
    }
  | { readonly t: "places"; readonly question: number; readonly pieces: readonly ServedPiece[] }
  /** Closes every lane of this peer. */
  | { readonly t: "refuse"; readonly peer: PeerId };

export type FromServeThread =
  /** `address`: what is bound, where the host was given as a name. */
  | { readonly t: "listening"; readonly address: string; readonly port: number }
  | { readonly t: "failed"; readonly reason: string }
  | { readonly t: "locate"; readonly question: number; readonly digests: readonly string[] }
  | { readonly t: "served"; readonly bytes: number; readonly lanes: number }
  | { readonly t: "refused"; readonly reason: string };
