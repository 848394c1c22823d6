/**
 * Which attempts of which batches are where: tickets (batches of our runs), their leases at peers, and outcomes by task. Pure. A task's
 * first outcome counts, from whichever lease it comes; a ticket is settled once every attempt has one.
 */
import type { ErrorRecord } from "../../src/model/errors.ts";
import type { MemoKey, RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { AttemptOutcome } from "../../src/task/host-messages.ts";
import {
  emptyOutcome,
  lostOutcome,
  type AdoptedLease,
  type LeaseOutcomes,
  type PlacementEffect,
  type TicketRequest,
} from "./placement-events.ts";
import { CANCEL_MS_MAX, EARLY_OUTCOMES_MAX } from "./placement-limits.ts";

export interface Ticket {
  request: TicketRequest;
  readonly createdAtMs: number;
  /** Positions that nobody has been granted. */
  open: number[];
  readonly outcomes: (AttemptOutcome | undefined)[];
  /** Lease that each position is at. */
  readonly at: (string | undefined)[];
  readonly leases: Set<string>;
  settledCount: number;
  scratchFile: string | undefined;
  /** It does not fit into a message. */
  isLocalOnly: boolean;
  /** Set once it is being cancelled: nobody waits longer for its leases. */
  cancelUntilMs: number | undefined;
}

export interface Lease {
  readonly id: string;
  readonly peer: PeerId;
  readonly run: RunRef;
  /** Of each granted attempt, in order. */
  readonly keys: readonly string[];
  readonly grantedAtMs: number;
  readonly isAdopted: boolean;
  renewedAtMs: number;
}

/** Leases that were given up but may still be heard of. */
const LATE_LEASES_MAX = 4_096;

export class TicketBook {
  readonly #tickets = new Map<number, Ticket>();
  readonly #waiting = new Set<Ticket>();
  readonly #leases = new Map<string, Lease>();
  readonly #late = new Map<string, Lease>();
  readonly #byKey = new Map<string, { readonly ticket: Ticket; readonly position: number }>();
  /** Task -> adopted lease that works on it. */
  readonly #adoptedBy = new Map<string, string>();
  readonly #early = new Map<string, AttemptOutcome>();
  readonly #effects: PlacementEffect[];

  constructor(effects: PlacementEffect[]) {
    this.#effects = effects;
  }

  get waiting(): ReadonlySet<Ticket> {
    return this.#waiting;
  }

  leases(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  lease(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  /** Also of a lease that was given up. */
  anyLease(id: string): Lease | undefined {
    return this.#leases.get(id) ?? this.#late.get(id);
  }

  ticket(id: number): Ticket | undefined {
    return this.#tickets.get(id);
  }

  ticketOf(lease: Lease): Ticket | undefined {
    for (const key of lease.keys) {
      const place = this.#byKey.get(key);
      if (place !== undefined) return place.ticket;
    }
    return undefined;
  }

  submit(request: TicketRequest, now: number): void {
    const ticket: Ticket = {
      request,
      createdAtMs: now,
      open: [],
      outcomes: Array.from({ length: request.memoKeys.length }),
      at: Array.from({ length: request.memoKeys.length }),
      leases: new Set(),
      settledCount: 0,
      scratchFile: undefined,
      isLocalOnly: false,
      cancelUntilMs: undefined,
    };
    this.#tickets.set(request.id, ticket);
    for (const [position, memoKey] of request.memoKeys.entries()) {
      const key = taskKey(request.run, memoKey);
      this.#byKey.set(key, { ticket, position });
      const early = this.#early.get(key);
      const adopted = this.#adoptedBy.get(key);
      if (early !== undefined) {
        this.#early.delete(key);
        this.#settleOne(ticket, position, early);
      } else if (adopted !== undefined && this.#leases.has(adopted)) {
        ticket.at[position] = adopted;
        ticket.leases.add(adopted);
      } else ticket.open.push(position);
    }
    if (ticket.open.length > 0) this.#waiting.add(ticket);
    this.#finish(ticket);
  }

  /** Batches planned before the first task of their step had ended learn how long it takes. */
  learn(environment: string, taskMs: number): void {
    for (const ticket of this.#waiting) {
      const { request } = ticket;
      if (request.taskMs !== undefined || request.environment !== environment) continue;
      const expectedMs = taskMs * request.memoKeys.length;
      ticket.request = { ...request, taskMs, expectedMs };
    }
  }

  adopt({ lease: id, peer, run, memoKeys }: AdoptedLease, now: number): void {
    const keys = memoKeys.map((memoKey) => taskKey(run, memoKey));
    const times = { grantedAtMs: now, renewedAtMs: now };
    this.#leases.set(id, { id, peer, run, keys, isAdopted: true, ...times });
    for (const key of keys) this.#adoptedBy.set(key, id);
  }

  /** Everything that is open goes to the peer. */
  assign(ticket: Ticket, id: string, peer: PeerId, now: number): readonly number[] {
    const { request, open } = ticket;
    const keys = open.map((position) => taskKey(request.run, defined(request.memoKeys[position])));
    const times = { grantedAtMs: now, renewedAtMs: now };
    this.#leases.set(id, { id, peer, run: request.run, keys, isAdopted: false, ...times });
    for (const position of open) ticket.at[position] = id;
    ticket.leases.add(id);
    ticket.open = [];
    this.#waiting.delete(ticket);
    return open;
  }

  /** Positions (of the ticket) that the lease has no part in after all. */
  unassign(id: string, positions: readonly number[]): void {
    const lease = this.#leases.get(id);
    const ticket = lease === undefined ? undefined : this.ticketOf(lease);
    if (lease === undefined || ticket === undefined) return;
    const kept = lease.keys.filter((key) => {
      const place = this.#byKey.get(key);
      return place === undefined || !positions.includes(place.position);
    });
    if (kept.length === 0) this.#drop(lease, ticket);
    else this.#leases.set(id, { ...lease, keys: kept });
    this.#reopen(ticket, positions);
  }

  /** The peer did not take it. `isPossible`: it may have, so an outcome may come. */
  reopen(id: string, isPossible: boolean): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const ticket = this.ticketOf(lease);
    this.#leases.delete(id);
    if (isPossible) this.#keepLate(lease);
    if (ticket === undefined) return;
    ticket.leases.delete(id);
    this.#reopen(ticket, this.#positionsAt(lease));
    this.#finish(ticket);
  }

  /** @returns false where nothing is known of that lease */
  take({ lease: id, outcomes, isLast, isUnfit, scratchFile }: LeaseOutcomes): boolean {
    const lease = this.anyLease(id);
    if (lease === undefined) return false;
    const isLate = !this.#leases.has(id);
    const touched = new Set<Ticket>();
    let isUsed = false;
    for (const outcome of outcomes) {
      if (outcome.result === "not-started") continue;
      const isGood = outcome.result === "succeeded";
      if (isLate && !isGood) continue;
      const key = defined(lease.keys[outcome.position], "an outcome of a granted attempt");
      const place = this.#byKey.get(key);
      if (place === undefined) {
        if (lease.isAdopted && isGood) this.#keepEarly(key, outcome);
        continue;
      }
      touched.add(place.ticket);
      isUsed = this.#settleOne(place.ticket, place.position, outcome) || isUsed;
      if (isUsed && scratchFile !== undefined) place.ticket.scratchFile = scratchFile;
    }
    if (scratchFile !== undefined && !isUsed) this.#effects.push({ t: "discard", scratchFile });
    if (isLast) {
      this.#leases.delete(id);
      // An adopted one may be handed in again: the worker cannot tell that its lease was known here.
      if (lease.isAdopted) this.#keepLate(lease);
      else this.#late.delete(id);
      // A whole batch given back was not begun at all: it finds another place without troubling the engine.
      const isWhole = isUnfit || outcomes.every(({ result }) => result === "not-started");
      for (const ticket of this.#giveBack(lease, isWhole)) touched.add(ticket);
    }
    for (const ticket of touched) this.#finish(ticket);
    return true;
  }

  lose(id: string, error: ErrorRecord, by: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    this.#keepLate(lease);
    const touched = new Set<Ticket>();
    for (const key of lease.keys) {
      if (this.#adoptedBy.get(key) === id) this.#adoptedBy.delete(key);
      const place = this.#byKey.get(key);
      if (place === undefined || place.ticket.at[place.position] !== id) continue;
      const { ticket, position } = place;
      const outcome =
        ticket.cancelUntilMs === undefined
          ? lostOutcome(position, error, by)
          : emptyOutcome(position, "cancelled");
      this.#settleOne(ticket, position, outcome);
      ticket.leases.delete(id);
      touched.add(ticket);
    }
    for (const ticket of touched) this.#finish(ticket);
  }

  cancel(id: number, now: number): void {
    const ticket = this.#tickets.get(id);
    if (ticket === undefined || ticket.cancelUntilMs !== undefined) return;
    ticket.cancelUntilMs = now + CANCEL_MS_MAX;
    this.#cancelLeases(ticket);
    this.settleOpen(ticket, (position) => emptyOutcome(position, "cancelled"));
  }

  /** Those cancelled that were waited for long enough. */
  expireCancelled(now: number): void {
    for (const ticket of this.#tickets.values()) {
      if (ticket.cancelUntilMs === undefined || ticket.cancelUntilMs > now) continue;
      for (const [position, outcome] of ticket.outcomes.entries())
        if (outcome === undefined)
          this.#settleOne(ticket, position, emptyOutcome(position, "cancelled"));
      this.#finish(ticket);
    }
  }

  /** Ends every attempt that is open with this outcome. */
  settleOpen(ticket: Ticket, outcomeAt: (position: number) => AttemptOutcome): void {
    const { open } = ticket;
    ticket.open = [];
    for (const position of open) this.#settleOne(ticket, position, outcomeAt(position));
    this.#waiting.delete(ticket);
    this.#finish(ticket);
  }

  /** Nobody waits for it any more. */
  forget(ticket: Ticket): void {
    this.#cancelLeases(ticket);
    this.#remove(ticket);
  }

  /** Whether anything that the lease may still bring is wanted. */
  isWanted(lease: Lease): boolean {
    return lease.keys.some((key) => this.#byKey.has(key));
  }

  #settleOne(ticket: Ticket, position: number, outcome: AttemptOutcome): boolean {
    if (ticket.outcomes[position] !== undefined) return false;
    ticket.outcomes[position] = { ...outcome, position };
    ticket.settledCount++;
    const at = ticket.open.indexOf(position);
    if (at >= 0) ticket.open.splice(at, 1);
    if (ticket.open.length === 0) this.#waiting.delete(ticket);
    return true;
  }

  #giveBack(lease: Lease, isWhole: boolean): Set<Ticket> {
    const touched = new Set<Ticket>();
    for (const key of lease.keys) {
      if (this.#adoptedBy.get(key) === lease.id) this.#adoptedBy.delete(key);
      const place = this.#byKey.get(key);
      if (place === undefined || place.ticket.at[place.position] !== lease.id) continue;
      const { ticket, position } = place;
      ticket.leases.delete(lease.id);
      touched.add(ticket);
      if (ticket.outcomes[position] !== undefined) continue;
      if (ticket.cancelUntilMs !== undefined)
        this.#settleOne(ticket, position, emptyOutcome(position, "cancelled"));
      else if (isWhole) this.#reopen(ticket, [position]);
      else this.#settleOne(ticket, position, emptyOutcome(position, "not-started"));
    }
    return touched;
  }

  #reopen(ticket: Ticket, positions: readonly number[]): void {
    for (const position of positions) {
      ticket.at[position] = undefined;
      if (ticket.outcomes[position] !== undefined) continue;
      if (ticket.cancelUntilMs === undefined) ticket.open.push(position);
      else this.#settleOne(ticket, position, emptyOutcome(position, "cancelled"));
    }
    ticket.open.sort((a, b) => a - b);
    if (ticket.open.length > 0) this.#waiting.add(ticket);
  }

  #positionsAt(lease: Lease): number[] {
    return lease.keys.flatMap((key) => {
      const place = this.#byKey.get(key);
      return place?.ticket.at[place.position] === lease.id ? [place.position] : [];
    });
  }

  #finish(ticket: Ticket): void {
    if (ticket.settledCount < ticket.outcomes.length || !this.#tickets.has(ticket.request.id))
      return;
    this.#cancelLeases(ticket);
    this.#remove(ticket);
    const outcomes = ticket.outcomes.filter((outcome) => outcome !== undefined);
    const { scratchFile } = ticket;
    const result = scratchFile === undefined ? { outcomes } : { outcomes, scratchFile };
    this.#effects.push({ t: "settle", ticket: ticket.request.id, result });
  }

  #remove(ticket: Ticket): void {
    this.#tickets.delete(ticket.request.id);
    this.#waiting.delete(ticket);
    for (const memoKey of ticket.request.memoKeys)
      this.#byKey.delete(taskKey(ticket.request.run, memoKey));
    for (const id of ticket.leases) {
      const lease = this.#leases.get(id);
      if (lease === undefined || this.isWanted(lease)) continue;
      this.#leases.delete(id);
      this.#keepLate(lease);
    }
  }

  #cancelLeases(ticket: Ticket): void {
    for (const id of ticket.leases) {
      const lease = this.#leases.get(id);
      // An adopted lease may work for other tickets, too.
      if (lease === undefined || (lease.isAdopted && ticket.cancelUntilMs === undefined)) continue;
      this.#effects.push({ t: "cancel", peer: lease.peer, run: lease.run, leases: [id] });
    }
  }

  #drop(lease: Lease, ticket: Ticket): void {
    this.#leases.delete(lease.id);
    ticket.leases.delete(lease.id);
  }

  #keepLate(lease: Lease): void {
    this.#late.set(lease.id, lease);
    for (const oldest of this.#late.keys()) {
      if (this.#late.size <= LATE_LEASES_MAX) return;
      this.#late.delete(oldest);
    }
  }

  #keepEarly(key: string, outcome: AttemptOutcome): void {
    if (this.#early.size < EARLY_OUTCOMES_MAX) this.#early.set(key, outcome);
  }
}

/** One run has no two tasks of one key; two runs may. */
function taskKey(run: RunRef, memoKey: MemoKey): string {
  return `${run.flow}/${run.id} ${memoKey}`;
}
