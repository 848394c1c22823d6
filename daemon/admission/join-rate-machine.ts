/** How often strangers may try to join, over a sliding minute. An attempt that is turned away is not counted, so memory is bounded. */
import {
  JOINS_KNOWN_PER_MINUTE_MAX,
  JOINS_PER_PEER_PER_MINUTE_MAX,
  JOINS_UNKNOWN_PER_MINUTE_MAX,
} from "./admission-limits.ts";
import type { PeerId } from "../../src/model/peer.ts";

const WINDOW_MS = 60_000;

interface Attempt {
  readonly peer: PeerId;
  readonly at: number;
  readonly isKnownTicket: boolean;
}

/** Attempts of the last minute, oldest first. */
export type JoinRate = readonly Attempt[];

export interface JoinRateStep {
  readonly rate: JoinRate;
  readonly isAllowed: boolean;
}

/** `at` is monotonic. */
export function stepJoinRate(rate: JoinRate, attempt: Attempt): JoinRateStep {
  const recent = rate.filter((old) => old.at > attempt.at - WINDOW_MS);
  const ofPeer = recent.filter((old) => old.peer === attempt.peer).length;
  const ofKind = recent.filter((old) => old.isKnownTicket === attempt.isKnownTicket).length;
  const most = attempt.isKnownTicket ? JOINS_KNOWN_PER_MINUTE_MAX : JOINS_UNKNOWN_PER_MINUTE_MAX;
  const isAllowed = ofPeer < JOINS_PER_PEER_PER_MINUTE_MAX && ofKind < most;
  return { rate: isAllowed ? [...recent, attempt] : recent, isAllowed };
}
