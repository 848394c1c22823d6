/** What goes into and comes out of the placement machine: events are past, effects are orders. */
import type { ErrorRecord } from "../../src/model/errors.ts";
import type { MemoKey, RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { AttemptOutcome, BatchResult } from "../../src/task/host-messages.ts";
import type { GrantAnswer, Offer } from "../../src/wire/placement-protocol.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import type { PeerNeed } from "./feasible-peers.ts";
import type { BatchNeed } from "./peer-account.ts";

/** A batch that wants a place. */
export interface TicketRequest extends PeerNeed, BatchNeed {
  readonly id: number;
  readonly run: RunRef;
  readonly step: string;
  /** One for each attempt, in order. */
  readonly memoKeys: readonly MemoKey[];
  /** What makes peers unfit for it: code and environment. */
  readonly environment: string;
  readonly taskMs?: number;
  /** Bytes of its inputs that the peer would have to fetch, as far as is known. */
  readonly missingBytes: (peer: PeerId) => number;
}

export interface GrantItem {
  readonly lease: string;
  readonly ticket: number;
  /** Of the ticket's attempts. */
  readonly positions: readonly number[];
  readonly expectedMs?: number;
}

/** What a worker answered about one lease; positions count within the grant. */
export interface LeaseOutcomes {
  readonly lease: string;
  readonly outcomes: readonly AttemptOutcome[];
  readonly isLast: boolean;
  readonly isUnfit: boolean;
  readonly scratchFile?: string;
}

export interface AdoptedLease {
  readonly lease: string;
  readonly peer: PeerId;
  readonly run: RunRef;
  readonly memoKeys: readonly MemoKey[];
}

export type PlacementEvent =
  | { readonly t: "submitted"; readonly ticket: TicketRequest }
  | { readonly t: "cancel-asked"; readonly ticket: number }
  | {
      readonly t: "offered";
      readonly peer: PeerId;
      readonly need: BatchNeed;
      readonly offer: Pick<Offer, "isAccepting" | "room">;
    }
  | { readonly t: "probe-failed"; readonly peer: PeerId }
  | {
      readonly t: "granted";
      readonly peer: PeerId;
      readonly answers: readonly { readonly lease: string; readonly answer: GrantAnswer }[];
      readonly room: Room;
    }
  /** No answer: it may have them or not. */
  | { readonly t: "grant-failed"; readonly peer: PeerId; readonly leases: readonly string[] }
  /** These did not fit into a message. `isTooLarge`: not even one of them does. */
  | {
      readonly t: "ungranted";
      readonly lease: string;
      readonly positions: readonly number[];
      readonly isTooLarge: boolean;
    }
  | {
      readonly t: "handed-in";
      readonly peer: PeerId;
      readonly outcomes: LeaseOutcomes;
      readonly room?: Room;
    }
  /** What it handed in makes no sense, or, without a lease, is not what it vouches for. */
  | { readonly t: "misbehaved"; readonly peer: PeerId; readonly lease?: string }
  | { readonly t: "pulled"; readonly peer: PeerId; readonly room: Room }
  | {
      readonly t: "renewed";
      readonly peer: PeerId;
      readonly leases: readonly string[];
      readonly isWhole: boolean;
    }
  | { readonly t: "peer-lost"; readonly peer: PeerId; readonly reason: string }
  /** It knows nothing of a lease that was to be adopted. */
  | { readonly t: "disowned"; readonly peer: PeerId; readonly lease: string }
  | { readonly t: "adopted"; readonly leases: readonly AdoptedLease[] }
  | { readonly t: "peers-changed" }
  | { readonly t: "tick" };

export type PlacementEffect =
  | {
      readonly t: "probe";
      readonly peer: PeerId;
      readonly ticket: number;
      readonly need: BatchNeed;
    }
  | { readonly t: "grant"; readonly peer: PeerId; readonly items: readonly GrantItem[] }
  | {
      readonly t: "cancel";
      readonly peer: PeerId;
      readonly run: RunRef;
      readonly leases: readonly string[];
    }
  | { readonly t: "nothing"; readonly peer: PeerId }
  | { readonly t: "settle"; readonly ticket: number; readonly result: BatchResult }
  /** A newer owner has the run: the engine must stop. */
  | { readonly t: "fenced"; readonly ticket: number }
  /** A result that came too late to be used. */
  | { readonly t: "discard"; readonly scratchFile: string };

export function lostOutcome(position: number, error: ErrorRecord, by: string): AttemptOutcome {
  return { position, result: "lost", error, by, wallMs: 0, cpuMs: 0, rssBytesMax: 0 };
}

export function emptyOutcome(
  position: number,
  result: "not-started" | "cancelled",
): AttemptOutcome {
  return { position, result, wallMs: 0, cpuMs: 0, rssBytesMax: 0 };
}
