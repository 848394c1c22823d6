/** What goes into the membership machine and what comes out. */
import type { LoadRecord, PeerId, PeerProfile } from "../../src/model/peer.ts";
import type { LeaveReason, Talk } from "../../src/wire/membership-protocol.ts";
import type { PeerEvent } from "../../src/wire/peer-directory.ts";
import type { TransportEvent } from "../../src/wire/transport.ts";

export interface KnownPeer {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

export interface MembershipMachineOptions {
  readonly self: PeerId;
  readonly profile: PeerProfile;
  /** Higher at each start of this home's daemon. */
  readonly bootCounter: number;
  readonly addresses: readonly string[];
  readonly seeds: readonly KnownPeer[];
  /** The secret said when this daemon leaves, 16 bytes. */
  readonly leaveProof: Uint8Array;
  /** Serial of this peer's certificate. */
  readonly certificate?: string;
  /** Of the machine's own sequence of chance. */
  readonly seed: number;
}

export type MembershipEvent =
  | { readonly t: "started" }
  /** Once a second. `lateMs`: how much later than due this peer got to it. */
  | {
      readonly t: "ticked";
      readonly load: LoadRecord;
      readonly addresses: readonly string[];
      readonly lateMs: number;
    }
  /** `wakeAt` has come. */
  | { readonly t: "woken" }
  | { readonly t: "heard"; readonly from: PeerId; readonly talk: Talk }
  | { readonly t: "transport"; readonly event: TransportEvent }
  /** The clocks say that this machine slept. */
  | { readonly t: "slept" }
  | { readonly t: "leaving"; readonly why: LeaveReason }
  | { readonly t: "revoked"; readonly peer: PeerId };

export type MembershipEffect =
  | { readonly t: "send"; readonly to: PeerId; readonly talk: Talk }
  | { readonly t: "keep"; readonly peer: PeerId; readonly addresses: readonly string[] }
  /** Dial it no more. */
  | { readonly t: "drop"; readonly peer: PeerId }
  | { readonly t: "tell"; readonly event: PeerEvent }
  /** Known peers or their addresses changed. */
  | { readonly t: "remember" }
  | { readonly t: "log"; readonly event: string; readonly fields: Record<string, unknown> };
