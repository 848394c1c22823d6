/** What goes into and comes out of the ownership machine of one run: events are past, effects are orders. */
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JournalView } from "../../src/wire/ownership-protocol.ts";

/** Before anybody is known to own a run. */
export const NOBODY: RunOwner = { peer: "" as PeerId, name: "", ballot: 0 };

/** What this peer's own copy of the journal says. */
export interface CopyState {
  readonly view: JournalView;
  /** Of its last owner entry. */
  readonly by: RunOwner | undefined;
  readonly keepers: readonly PeerId[];
  /** Every owner and keeper there ever was. */
  readonly holders: readonly PeerId[];
}

/** What another peer said it knows of the run. */
export interface OtherState {
  readonly peer: PeerId;
  readonly by: RunOwner;
  readonly view: JournalView;
}

export interface PeersNow {
  /** Who could keep the run, best first; without this peer. */
  readonly ranked: readonly PeerId[];
  /** Neither dead nor asleep nor gone; this peer included. */
  readonly alive: ReadonlySet<PeerId>;
}

export interface OwnershipOptions {
  readonly self: { readonly peer: PeerId; readonly name: string };
  readonly copy: CopyState;
  readonly peers: PeersNow;
  /** `owner`: the run begins here. `former`: this peer owned it before it restarted. */
  readonly role: "owner" | "holder" | "former";
  readonly now: number;
}

export type OwnershipPhase = "watching" | "asking" | "pulling" | "claiming" | "owning" | "over";

export interface OwnershipState {
  readonly isOwning: boolean;
  readonly isOver: boolean;
  readonly owner: RunOwner;
  readonly keepers: readonly PeerId[];
  /** Keepers that could go on with the run now. */
  readonly storedCount: number;
  /** When `tick` is due. */
  readonly dueAt: number;
}

export type OwnershipEvent =
  | { readonly t: "tick" }
  | { readonly t: "peers-changed"; readonly peers: PeersNow }
  /** Entries are durable here: our own, a page of the owner's, or pulled ones. */
  | { readonly t: "journal-grew"; readonly copy: CopyState }
  | { readonly t: "append-answered"; readonly to: PeerId; readonly length: number }
  | { readonly t: "append-failed"; readonly to: PeerId }
  | { readonly t: "keep-answered"; readonly to: PeerId; readonly isStored: boolean }
  /** Somebody (an owner, or a keeper that refused us) names an owner. `from` is undefined where it needs no answer. */
  | {
      readonly t: "owner-told";
      readonly by: RunOwner;
      readonly from?: PeerId;
      /** It is sending us its journal: nothing has to be pulled. */
      readonly isSending?: boolean;
    }
  | {
      readonly t: "others-answered";
      readonly asked: number;
      readonly others: readonly OtherState[];
    }
  | { readonly t: "pulled"; readonly isDone: boolean }
  | { readonly t: "tell-answered"; readonly to: PeerId; readonly isTold: boolean }
  /** The owner entry was written, or could not be. */
  | { readonly t: "owner-written"; readonly by: RunOwner; readonly isDone: boolean }
  /** It could not be gone on with, or broke off: the store refused, or no host could be started. */
  | {
      readonly t: "run-broken";
      /** A worker has heard of this ballot and obeys no lower one. */
      readonly fencedBy?: number;
    }
  /** The owner asks us to take over. */
  | { readonly t: "handed"; readonly from: PeerId }
  | { readonly t: "hand-over-asked" }
  | { readonly t: "hand-over-answered"; readonly to: PeerId; readonly by?: RunOwner };

export type EventOf<T extends OwnershipEvent["t"]> = Extract<OwnershipEvent, { t: T }>;

export type OwnershipEffect =
  | { readonly t: "send-append"; readonly to: PeerId; readonly from: number }
  | { readonly t: "ask-keep"; readonly to: PeerId }
  | { readonly t: "ask-others"; readonly asked: number; readonly peers: readonly PeerId[] }
  | { readonly t: "pull"; readonly from: PeerId }
  | {
      readonly t: "write-owner";
      readonly by: RunOwner;
      readonly keepers: readonly PeerId[];
    }
  | { readonly t: "tell"; readonly to: PeerId }
  /** `to` undefined: to everybody. */
  | { readonly t: "announce"; readonly to?: PeerId }
  | { readonly t: "resume"; readonly by: RunOwner }
  | { readonly t: "abandon"; readonly to: RunOwner }
  | { readonly t: "ask-own"; readonly to: PeerId }
  | { readonly t: "hand-over-ended"; readonly isDone: boolean }
  /** Nothing more is to be done for the run here. */
  | { readonly t: "forget" };
