/** Where a batch goes, or whom to ask: offers priced by transfer, expected time and queue. Pure, but for the draw it is given. */
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { PeerAccount } from "./peer-account.ts";
import { BANDWIDTH_GUESS, LOCALITY_WAIT_MS_MAX, RANDOM_PROBES } from "./placement-limits.ts";
import type { Ticket } from "./ticket-book.ts";

export interface PlaceQuestion {
  readonly ticket: Ticket;
  readonly candidates: readonly PeerView[];
  readonly accountOf: (peer: PeerId) => PeerAccount;
  readonly now: number;
}

export type PlaceAnswer =
  | { readonly k: "grant"; readonly peer: PeerId }
  /** There is room, but the inputs are elsewhere: worth a moment. */
  | { readonly k: "wait" }
  | { readonly k: "none" };

/** A transfer this short, ms, is not worth waiting for another peer. */
const SHORT_TRANSFER_MS = 50;
/** Assumed between peers that have not been measured, ms. */
const LATENCY_GUESS_MS = 1;
/** Least pause between two probes of one peer, ms. */
const PROBE_PAUSE_MS = 20;

interface Priced {
  readonly peer: PeerId;
  readonly price: number;
  readonly transferMs: number;
}

export function placeFor(question: PlaceQuestion): PlaceAnswer {
  const { ticket, candidates, accountOf, now } = question;
  const { request } = ticket;
  let start: Priced | undefined;
  let queue: Priced | undefined;
  let leastTransferMs = Infinity;
  for (const view of candidates) {
    const account = accountOf(view.id);
    const transferMs = request.missingBytes(view.id) / BANDWIDTH_GUESS;
    const workMs = (request.expectedMs ?? 0) * account.slowness;
    const latencyMs = view.isSelf ? 0 : (view.latencyMs ?? LATENCY_GUESS_MS);
    const price = latencyMs + transferMs + workMs;
    if (!account.isAvoided(now)) leastTransferMs = Math.min(leastTransferMs, transferMs);
    if (account.canStart(request, now)) {
      if (start === undefined || price < start.price) start = { peer: view.id, price, transferMs };
    } else if (start === undefined && account.canQueue(request, now)) {
      const slots = Math.max(1, view.load?.slots.total ?? 1);
      const queued = price + workMs * (1 + Math.max(0, slots - account.queueRoom) / slots);
      if (queue === undefined || queued < queue.price)
        queue = { peer: view.id, price: queued, transferMs };
    }
  }
  const best = start ?? queue;
  if (best === undefined) return { k: "none" };
  const isFar = best.transferMs > SHORT_TRANSFER_MS && leastTransferMs < best.transferMs / 2;
  if (isFar && now - ticket.createdAtMs < Math.min(LOCALITY_WAIT_MS_MAX, best.transferMs))
    return { k: "wait" };
  return { k: "grant", peer: best.peer };
}

export interface ProbeOptions {
  readonly most: number;
  /** Peers that work for us: what they hand in says what room they have. */
  readonly busy: ReadonlySet<PeerId>;
  readonly draw: () => number;
}

/** The best by hint and one by chance. */
export function peersToProbe(
  { ticket, candidates, accountOf, now }: PlaceQuestion,
  { most, busy, draw }: ProbeOptions,
): PeerId[] {
  if (most <= 0) return [];
  const open = candidates.filter(({ id }) => {
    const account = accountOf(id);
    if (account.isProbing || account.isReserved(now) || account.isAvoided(now)) return false;
    if (now - account.probedAtMs < PROBE_PAUSE_MS) return false;
    return !account.isFresh(now) || !busy.has(id);
  });
  const hint = (view: PeerView): number => {
    const { load } = view;
    const fullness =
      load === undefined ? 1 : (load.slots.busy + load.queue) / Math.max(1, load.slots.total);
    return fullness + ticket.request.missingBytes(view.id) / BANDWIDTH_GUESS / 1_000;
  };
  const ranked = open
    .map((view) => ({ id: view.id, hint: hint(view), tie: draw() }))
    .sort((a, b) => a.hint - b.hint || a.tie - b.tie);
  const chosen = ranked.slice(0, Math.max(1, most - RANDOM_PROBES));
  const others = ranked.slice(chosen.length);
  const stray = others[Math.floor(draw() * others.length)];
  if (stray !== undefined && chosen.length < most) chosen.push(stray);
  return chosen.map(({ id }) => id);
}
