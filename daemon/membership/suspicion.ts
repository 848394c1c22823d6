/**
 * How long a suspect has to answer back: long where one peer alone accuses it (that peer may be the sick one), shorter with each
 * further accuser (Lifeguard's dynamic suspicion timeout).
 */
import type { PeerKey } from "../../src/wire/membership-protocol.ts";
import {
  CONFIRMATIONS,
  SUSPICION_MAX_FACTOR,
  SUSPICION_MULT,
  TICK_MS,
} from "./membership-limits.ts";

export interface Suspicion {
  startedAt: number;
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmations that bring it to `minMs`; 0 where the mesh is too small for any. */
  readonly needed: number;
  readonly accusers: Set<PeerKey>;
  /** Monotonic ms. */
  deadline: number;
  /** An announced restart or an unmet seed: it ends when it ends, whatever others say. */
  readonly isFixed: boolean;
}

/** @param peers how many are alive or suspect, this one included */
export function suspicionOf(now: number, peers: number, accusers: readonly PeerKey[]): Suspicion {
  const minMs = SUSPICION_MULT * Math.max(1, Math.log10(Math.max(1, peers))) * TICK_MS;
  const suspicion: Suspicion = {
    startedAt: now,
    minMs,
    maxMs: minMs * SUSPICION_MAX_FACTOR,
    needed: peers - 2 < CONFIRMATIONS ? 0 : CONFIRMATIONS,
    accusers: new Set(accusers),
    deadline: now,
    isFixed: false,
  };
  suspicion.deadline = now + suspicionMs(suspicion);
  return suspicion;
}

/** One that lasts `ms`, whoever confirms it. */
export function fixedSuspicion(now: number, ms: number): Suspicion {
  return {
    startedAt: now,
    minMs: ms,
    maxMs: ms,
    needed: 0,
    accusers: new Set(),
    deadline: now + ms,
    isFixed: true,
  };
}

/** Adds an accuser; true where it is news that is worth passing on. */
export function confirm(suspicion: Suspicion, accuser: PeerKey): boolean {
  if (suspicion.isFixed || suspicion.accusers.has(accuser)) return false;
  if (suspicion.accusers.size > CONFIRMATIONS) return false;
  suspicion.accusers.add(accuser);
  suspicion.deadline = Math.min(suspicion.deadline, suspicion.startedAt + suspicionMs(suspicion));
  return true;
}

/** Ends it as early as is ever allowed: its connection broke and nobody reaches it. */
export function hurry(suspicion: Suspicion): void {
  if (!suspicion.isFixed)
    suspicion.deadline = Math.min(suspicion.deadline, suspicion.startedAt + suspicion.minMs);
}

function suspicionMs({ minMs, maxMs, needed, accusers }: Suspicion): number {
  if (needed === 0) return minMs;
  const confirmations = Math.max(0, accusers.size - 1);
  const share = Math.log(confirmations + 1) / Math.log(needed + 1);
  return Math.max(minMs, maxMs - (maxMs - minMs) * share);
}
