/** Peers of the mesh as everything else sees them: identity, membership verdict, live load. */
import type { Brand } from "./ids.ts";

/** libp2p's text form of an Ed25519 public key (base58btc, `12D3Koo…`). */
export type PeerId = Brand<string, "PeerId">;

/** Verdict of membership. `asleep` said so and is expected back; `left` said goodbye for good. */
export type PeerState = "alive" | "suspect" | "dead" | "asleep" | "left";

/** What a certificate allows: hand in runs, hold runs and artifacts, execute attempts, invite and revoke. */
export const PEER_ROLES = ["submit", "store", "work", "admin"] as const;
export type PeerRole = (typeof PEER_ROLES)[number];

export interface GpuLoad {
  readonly uuid: string;
  readonly name: string;
  readonly memBytes: number;
  readonly memFreeBytes: number;
  /** Share of the last sample in which it computed, 0 to 1. */
  readonly busy: number;
}

/** What a peer has and how much of it is free, quantised (see daemon/machine). Spread by gossip: a hint, never a promise. */
export interface LoadRecord {
  /** Cores this daemon may use: control group, affinity and --cpus respected. May be a fraction. */
  readonly cpus: number;
  /** Share of all cores in use by anything on the machine, 0 to 1. */
  readonly cpuBusy: number;
  readonly memBytes: number;
  readonly memFreeBytes: number;
  readonly gpus: readonly GpuLoad[];
  readonly diskFreeBytes: number;
  readonly store: "rw" | "tight" | "full" | "poisoned";
  /** Attempts that may run at once, and those that do. */
  readonly slots: { readonly total: number; readonly busy: number };
  /** Batches granted here that wait for a slot. */
  readonly queue: number;
  /** p99 of the control loop's delay over the last seconds, ms. */
  readonly loopDelayMs: number;
  /** False while draining or when the store refuses: place nothing. */
  readonly isAccepting: boolean;
}

/** What a peer says of itself that changes only when it restarts. */
export interface PeerProfile {
  readonly name: string;
  readonly version: string;
  readonly roles: readonly PeerRole[];
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: string;
  /** Node's module ABI, for native add-ons. */
  readonly abi: string;
}

export interface PeerView {
  readonly id: PeerId;
  readonly isSelf: boolean;
  readonly state: PeerState;
  readonly addresses: readonly string[];
  /** Undefined until its first record arrived. */
  readonly profile?: PeerProfile;
  readonly load?: LoadRecord;
  /** Round trip of the last probe, ms. */
  readonly latencyMs?: number;
  readonly isConnected: boolean;
}
