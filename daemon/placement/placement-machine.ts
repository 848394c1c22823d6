/**
 * The owner's side: finds a peer for each batch, and another when that one is lost. Pure: gossip is a hint, offers and grants are
 * answered by the workers' own ledgers. Rules P1 to P8 in the README.
 */
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import { unreachable } from "../../src/std/assert.ts";
import { isFeasible } from "./feasible-peers.ts";
import { NO_ROOM, PeerAccount } from "./peer-account.ts";
import { peersToProbe, placeFor, type PlaceQuestion } from "./place-choice.ts";
import type {
  GrantItem,
  LeaseOutcomes,
  PlacementEffect,
  PlacementEvent,
} from "./placement-events.ts";
import {
  LEASE_MS,
  LEASE_YOUNG_MS,
  PROBES_AT_ONCE,
  PROBES_AT_ONCE_MAX,
  RESERVATIONS_AT_ONCE,
  UNFIT_MAX,
} from "./placement-limits.ts";
import { TicketBook, type Lease, type Ticket } from "./ticket-book.ts";

export interface PlacementBook {
  readonly self: PeerId;
  peers(): readonly PeerView[];
  nameOf(peer: PeerId): string;
}

export interface PlacementChance {
  /** Uniform in [0, 1). */
  readonly draw: () => number;
  /** Begins every lease of this process, so that no two processes name one alike. */
  readonly leasePrefix: string;
}

export class PlacementMachine {
  readonly #book: PlacementBook;
  readonly #chance: PlacementChance;
  readonly #accounts = new Map<PeerId, PeerAccount>();
  /** `peer environment`: it said that it cannot run such code. */
  readonly #unfit = new Set<string>();
  #effects: PlacementEffect[] = [];
  readonly #tickets: TicketBook;
  #leaseCount = 0;

  constructor(book: PlacementBook, chance: PlacementChance) {
    this.#book = book;
    this.#chance = chance;
    this.#tickets = new TicketBook(this.#effects);
  }

  accept(event: PlacementEvent, now: number): readonly PlacementEffect[] {
    this.#note(event, now);
    this.#place(now);
    if (event.t === "pulled" && !this.#effects.some((effect) => isGrantTo(effect, event.peer)))
      this.#effects.push({ t: "nothing", peer: event.peer });
    return this.#effects.splice(0);
  }

  /** Which ticket a lease works for, for its progress. */
  ticketAt(peer: PeerId, lease: string): number | undefined {
    const found = this.#tickets.lease(lease);
    return found?.peer === peer ? this.#tickets.ticketOf(found)?.request.id : undefined;
  }

  /** How many attempts a lease was granted; undefined where it is not known here, or not at that peer. */
  sizeOf(peer: PeerId, lease: string): number | undefined {
    const found = this.#tickets.anyLease(lease);
    return found?.peer === peer ? found.keys.length : undefined;
  }

  isOwnLease(lease: string): boolean {
    return lease.startsWith(`${this.#chance.leasePrefix}-`);
  }

  #note(event: PlacementEvent, now: number): void {
    switch (event.t) {
      case "submitted": {
        const { environment, taskMs } = event.ticket;
        if (taskMs !== undefined) this.#tickets.learn(environment, taskMs);
        return this.#tickets.submit(event.ticket, now);
      }
      case "cancel-asked":
        return this.#tickets.cancel(event.ticket, now);
      case "offered":
        return this.#offered(event, now);
      case "probe-failed":
        this.#account(event.peer).isProbing = false;
        return this.#account(event.peer).fault(now);
      case "granted":
        return this.#granted(event, now);
      case "grant-failed":
        return this.#grantFailed(event, now);
      case "ungranted":
        return this.#ungranted(event);
      case "handed-in":
        return this.#handedIn(event, now);
      case "misbehaved":
        this.#account(event.peer).fault(now);
        return this.#lose(event.lease, "its answer makes no sense");
      case "disowned":
        return this.#tickets.reopen(event.lease, true);
      case "pulled":
        this.#account(event.peer).unreserve();
        return this.#account(event.peer).report(event.room, now);
      case "renewed":
        return this.#renewed(event, now);
      case "peer-lost":
        this.#account(event.peer).forget();
        for (const lease of this.#leasesAt(event.peer)) this.#lose(lease.id, event.reason);
        return;
      case "adopted":
        for (const lease of event.leases) this.#tickets.adopt(lease, now);
        return;
      case "peers-changed":
        return;
      case "tick":
        return this.#tick(now);
      default:
        unreachable(event);
    }
  }

  #offered({ peer, need, offer }: Extract<PlacementEvent, { t: "offered" }>, now: number): void {
    const account = this.#account(peer);
    account.isProbing = false;
    account.report(offer.room, now);
    if (offer.isAccepting && !account.canStart(need, now)) account.reserve(now);
  }

  #granted({ peer, answers, room }: Extract<PlacementEvent, { t: "granted" }>, now: number): void {
    const account = this.#account(peer);
    for (const { lease: id, answer } of answers) {
      account.granting.delete(id);
      const lease = this.#tickets.lease(id);
      if (lease === undefined) continue;
      const ticket = this.#tickets.ticketOf(lease);
      if (answer === "accepted") {
        lease.renewedAtMs = now;
        continue;
      }
      if (answer === "denied") account.fault(now);
      if (answer === "unfit" && ticket !== undefined)
        this.#noteUnfit(peer, ticket.request.environment);
      this.#tickets.reopen(id, false);
      if (answer !== "fenced" || ticket === undefined) continue;
      this.#tickets.forget(ticket);
      this.#effects.push({ t: "fenced", ticket: ticket.request.id });
    }
    // Whoever refuses is asked anew before it is granted anything, whatever it says of its room.
    if (answers.some(({ answer }) => answer === "busy")) account.report(NO_ROOM, now);
    else account.report(room, now);
  }

  #grantFailed(
    { peer, leases }: Extract<PlacementEvent, { t: "grant-failed" }>,
    now: number,
  ): void {
    const account = this.#account(peer);
    account.fault(now);
    for (const id of leases) {
      account.granting.delete(id);
      const lease = this.#tickets.lease(id);
      if (lease === undefined) continue;
      this.#tickets.reopen(id, true);
      this.#effects.push({ t: "cancel", peer, run: lease.run, leases: [id] });
    }
  }

  #ungranted({
    lease: id,
    positions,
    isTooLarge,
  }: Extract<PlacementEvent, { t: "ungranted" }>): void {
    const lease = this.#tickets.lease(id);
    if (lease === undefined) return;
    const ticket = this.#tickets.ticketOf(lease);
    if (isTooLarge && ticket !== undefined) ticket.isLocalOnly = true;
    this.#tickets.unassign(id, positions);
    if (this.#tickets.lease(id) === undefined) this.#account(lease.peer).granting.delete(id);
  }

  #handedIn(
    { peer, outcomes, room }: Extract<PlacementEvent, { t: "handed-in" }>,
    now: number,
  ): void {
    const account = this.#account(peer);
    account.granting.delete(outcomes.lease);
    const lease = this.#tickets.lease(outcomes.lease);
    if (lease !== undefined) this.#learn(account, lease, outcomes, now);
    if (room !== undefined) account.report(room, now);
    this.#tickets.take(outcomes);
  }

  #learn(account: PeerAccount, lease: Lease, outcomes: LeaseOutcomes, now: number): void {
    lease.renewedAtMs = now;
    const ticket = this.#tickets.ticketOf(lease);
    if (ticket === undefined) return;
    const { taskMs, environment } = ticket.request;
    if (outcomes.isUnfit) this.#noteUnfit(account.peer, environment);
    const ran = outcomes.outcomes.filter(({ result }) => result === "succeeded");
    if (ran.length > 0 && taskMs !== undefined && taskMs > 0) {
      const wallMs = ran.reduce((sum, outcome) => sum + outcome.wallMs, 0) / ran.length;
      account.learnSlowness(wallMs / taskMs);
    }
    // Whoever gives everything back is left alone for a moment: it would do so again.
    const isNothing = outcomes.outcomes.every(({ result }) => result === "not-started");
    if (outcomes.isLast && isNothing && ticket.cancelUntilMs === undefined) account.fault(now);
  }

  #renewed(
    { peer, leases, isWhole }: Extract<PlacementEvent, { t: "renewed" }>,
    now: number,
  ): void {
    const named = new Set(leases);
    for (const id of leases) {
      const lease = this.#tickets.anyLease(id);
      if (lease === undefined || lease.peer !== peer) continue;
      lease.renewedAtMs = now;
      if (!this.#tickets.isWanted(lease) && !lease.isAdopted)
        this.#effects.push({ t: "cancel", peer, run: lease.run, leases: [id] });
    }
    if (!isWhole) return;
    for (const lease of this.#leasesAt(peer))
      if (!named.has(lease.id) && now - lease.grantedAtMs > LEASE_YOUNG_MS)
        this.#lose(lease.id, "it knows nothing of it any more");
  }

  #tick(now: number): void {
    this.#tickets.expireCancelled(now);
    for (const lease of Array.from(this.#tickets.leases())) {
      if (lease.peer === this.#book.self || now - lease.renewedAtMs <= LEASE_MS) continue;
      this.#account(lease.peer).fault(now);
      this.#lose(lease.id, `no sign of it for ${LEASE_MS / 1000} s`);
    }
  }

  #lose(id: string | undefined, reason: string): void {
    const lease = id === undefined ? undefined : this.#tickets.lease(id);
    if (id === undefined || lease === undefined) return;
    const peer = this.#book.nameOf(lease.peer);
    this.#account(lease.peer).granting.delete(id);
    this.#tickets.lose(id, { code: "PEER_LOST", details: { peer, reason } }, peer);
  }

  /** First come, first served; one need that finds no place does not hold up another. */
  #place(now: number): void {
    if (this.#tickets.waiting.size === 0) return;
    const peers = this.#book.peers();
    const self = peers.find((peer) => peer.isSelf);
    const grants = new Map<PeerId, GrantItem[]>();
    const feasible = new Map<string, readonly PeerView[]>();
    const exhausted = new Set<string>();
    const asking = new Map<string, Ticket>();
    for (const ticket of Array.from(this.#tickets.waiting)) {
      const kind = kindOf(ticket);
      if (exhausted.has(kind)) continue;
      let candidates = feasible.get(kind);
      if (candidates === undefined) {
        candidates = this.#candidates(ticket, peers, self);
        feasible.set(kind, candidates);
      }
      const question: PlaceQuestion = { ...this.#question(ticket, candidates), now };
      const place = placeFor(question);
      if (place.k !== "grant") {
        if (place.k === "none") exhausted.add(kind);
        asking.set(kind, ticket);
        continue;
      }
      const lease = `${this.#chance.leasePrefix}-${(this.#leaseCount++).toString(36)}`;
      const positions = this.#tickets.assign(ticket, lease, place.peer, now);
      this.#account(place.peer).granted(lease, ticket.request);
      const items = grants.get(place.peer) ?? [];
      const { id, expectedMs } = ticket.request;
      const item = { lease, ticket: id, positions };
      items.push(expectedMs === undefined ? item : { ...item, expectedMs });
      grants.set(place.peer, items);
    }
    for (const [peer, items] of grants) this.#effects.push({ t: "grant", peer, items });
    for (const [kind, ticket] of asking) this.#probe(ticket, feasible.get(kind) ?? [], now);
  }

  #candidates(
    ticket: Ticket,
    peers: readonly PeerView[],
    self: PeerView | undefined,
  ): readonly PeerView[] {
    const { request, isLocalOnly } = ticket;
    const able = peers.filter(
      (peer) => isFeasible(peer, request, self) && (!isLocalOnly || peer.isSelf),
    );
    const fit = able.filter((peer) => !this.#unfit.has(`${peer.id} ${request.environment}`));
    if (able.length > 0 && fit.length === 0 && !isLocalOnly) this.#failUnfit(ticket);
    return fit;
  }

  /** Waiting would not help: none of the peers has the environment that the run was planned for. */
  #failUnfit(ticket: Ticket): void {
    const details = {
      step: ticket.request.step,
      need: "packages as its owner has them",
      where: "no peer that may run it",
      has: "has these",
      option: "--on",
    };
    this.#tickets.settleOpen(ticket, (position) => ({
      position,
      result: "failed",
      error: { code: "RESOURCES_UNMET", details },
      wallMs: 0,
      cpuMs: 0,
      rssBytesMax: 0,
    }));
  }

  #probe(ticket: Ticket, candidates: readonly PeerView[], now: number): void {
    const accounts = [...this.#accounts.values()];
    const underWay = accounts.filter((account) => account.isProbing).length;
    const reserved = accounts.filter((account) => account.isReserved(now)).length;
    const wanted = Math.min(
      PROBES_AT_ONCE_MAX,
      Math.max(PROBES_AT_ONCE, this.#tickets.waiting.size),
    );
    const most = Math.min(wanted - underWay, RESERVATIONS_AT_ONCE + wanted - reserved);
    const busy = new Set<PeerId>();
    for (const lease of this.#tickets.leases()) busy.add(lease.peer);
    const question = { ...this.#question(ticket, candidates), now };
    for (const peer of peersToProbe(question, { most, busy, draw: this.#chance.draw })) {
      this.#account(peer).isProbing = true;
      this.#account(peer).probedAtMs = now;
      const { demand, isExclusive, expectedMs } = ticket.request;
      const need =
        expectedMs === undefined ? { demand, isExclusive } : { demand, isExclusive, expectedMs };
      this.#effects.push({ t: "probe", peer, ticket: ticket.request.id, need });
    }
  }

  #question(ticket: Ticket, candidates: readonly PeerView[]): Omit<PlaceQuestion, "now"> {
    return { ticket, candidates, accountOf: (peer) => this.#account(peer) };
  }

  #noteUnfit(peer: PeerId, environment: string): void {
    if (this.#unfit.size >= UNFIT_MAX) this.#unfit.clear();
    this.#unfit.add(`${peer} ${environment}`);
  }

  #leasesAt(peer: PeerId): Lease[] {
    return [...this.#tickets.leases()].filter((lease) => lease.peer === peer);
  }

  #account(peer: PeerId): PeerAccount {
    let account = this.#accounts.get(peer);
    if (account === undefined) this.#accounts.set(peer, (account = new PeerAccount(peer)));
    return account;
  }
}

function isGrantTo(effect: PlacementEffect, peer: PeerId): boolean {
  return effect.t === "grant" && effect.peer === peer;
}

/** Tickets of one kind fit at the same peers. */
function kindOf({ request, isLocalOnly }: Ticket): string {
  const { demand, isExclusive, labels, isNative, environment, expectedMs } = request;
  const { cores, memBytes, gpus } = demand;
  const isUnknown = expectedMs === undefined;
  const kind = [cores, memBytes, gpus, isExclusive, isNative, isLocalOnly, isUnknown];
  return `${kind.join(" ")} ${environment} ${labels.join(" ")}`;
}
