/** All that is known of one peer. Three versioned last values under one boot counter: its state, what it says of itself, its load. */
import type { LoadRecord, PeerId, PeerState, PeerView } from "../../src/model/peer.ts";
import {
  loadToTuple,
  peerKey,
  STATES_BY_RANK,
  type About,
  type PeerKey,
  type TalkItem,
} from "../../src/wire/membership-protocol.ts";
import type { Suspicion } from "./suspicion.ts";

export interface PeerRecord {
  readonly id: PeerId;
  readonly key: PeerKey;
  /** Incarnation: boot counter of its process, then how often it refuted. Boot 0: never heard of by itself. */
  boot: number;
  counter: number;
  state: PeerState;
  about: About | undefined;
  load: LoadRecord | undefined;
  loadBoot: number;
  loadVersion: number;
  leaveProof: Uint8Array | undefined;
  /** From seeds, discovery and connections: used until it says its own. */
  hints: readonly string[];
  /** False for a hint of somebody (mDNS) who was never connected: nobody is told of it. */
  isMember: boolean;
  /** Whether subscribers have heard of it. */
  isTold: boolean;
  isConnected: boolean;
  latencyMs: number | undefined;
  /** When its last message came, monotonic ms. */
  heardAt: number;
  leftAt: number | undefined;
  /** When its connection broke, for a refused dial to prove something. */
  resetAt: number | undefined;
  /** It announced a restart: nothing is lost before this, monotonic ms. */
  restartUntil: number | undefined;
  suspicion: Suspicion | undefined;
  /** Version of our own load record that was last sent to it. */
  toldLoad: number;
  view: PeerView | undefined;
}

export function newRecord(id: PeerId, hints: readonly string[]): PeerRecord {
  return {
    id,
    key: peerKey(id),
    boot: 0,
    counter: 0,
    state: "suspect",
    about: undefined,
    load: undefined,
    loadBoot: 0,
    loadVersion: 0,
    leaveProof: undefined,
    hints,
    isMember: false,
    isTold: false,
    isConnected: false,
    latencyMs: undefined,
    heardAt: -Infinity,
    leftAt: undefined,
    resetAt: undefined,
    restartUntil: undefined,
    suspicion: undefined,
    toldLoad: -1,
    view: undefined,
  };
}

export function rankOf(state: PeerState): number {
  return STATES_BY_RANK.indexOf(state);
}

/** Order of two claims about one peer's state: incarnation first, then the graver state. */
export function compareStates(a: StateClaim, b: StateClaim): number {
  return a.boot - b.boot || a.counter - b.counter || rankOf(a.state) - rankOf(b.state);
}

export interface StateClaim {
  readonly boot: number;
  readonly counter: number;
  readonly state: PeerState;
}

/** Versions count within the boot they were said in: those of a former process are worth nothing. */
export function aboutVersion(record: PeerRecord): number {
  return record.about?.boot === record.boot ? record.about.version : 0;
}

export function loadVersion(record: PeerRecord): number {
  return record.loadBoot === record.boot ? record.loadVersion : 0;
}

export function addressesOf(record: PeerRecord): readonly string[] {
  const own = record.about?.addresses ?? [];
  return own.length > 0 ? own : record.hints;
}

export interface ItemParts {
  readonly state: boolean;
  readonly about: boolean;
  readonly load: boolean;
}

export const ALL_PARTS: ItemParts = { state: true, about: true, load: true };
export const STATE_PART: ItemParts = { state: true, about: false, load: false };

export function itemOf(record: PeerRecord, parts: ItemParts): TalkItem {
  return {
    k: record.key,
    b: record.boot,
    ...(parts.state && {
      s: [
        record.counter,
        rankOf(record.state),
        [...(record.suspicion?.accusers ?? [])].slice(0, 4),
      ],
      ...(record.leaveProof !== undefined && { p: record.leaveProof }),
    }),
    ...(parts.about && record.about !== undefined && { a: record.about }),
    ...(parts.load &&
      record.load !== undefined &&
      record.loadBoot === record.boot && { l: [record.loadVersion, loadToTuple(record.load)] }),
  };
}

/** About how many bytes it takes on the wire; the budget needs no better. */
export function itemBytes(item: TalkItem): number {
  let bytes = 24 + (item.s?.[2].length ?? 0) * 9 + (item.p === undefined ? 0 : 20);
  if (item.l !== undefined) bytes += 40 + item.l[1][11].length * 80;
  const { a } = item;
  if (a === undefined) return bytes;
  bytes += 160 + a.id.length + a.name.length + a.platform.length;
  for (const address of a.addresses) bytes += 2 + address.length;
  for (const [name, value] of Object.entries(a.labels)) bytes += 4 + name.length + value.length;
  return bytes;
}
