/**
 * The tickets that an issuer gave out, and what each attempt to use one comes to. Pure: proofs are checked outside, times come in.
 * A ticket lets one identity in; the same identity may ask again, because its answer may have been lost on the way.
 */
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import { TICKET_KEPT_MS, TICKETS_MAX } from "./admission-limits.ts";

export interface IssuedTicket {
  /** Hex of the id that a joiner names. */
  readonly id: string;
  /** Hex of the key that checks its proof. */
  readonly key: string;
  readonly roles: readonly PeerRole[];
  readonly expiresAt: number;
  readonly usedBy?: { readonly peer: PeerId; readonly name: string; readonly at: number };
}

export type Tickets = ReadonlyMap<string, IssuedTicket>;

export type TicketEvent =
  | { readonly t: "issued"; readonly ticket: IssuedTicket }
  /** The proof was right. */
  | { readonly t: "proven"; readonly id: string; readonly peer: PeerId; readonly name: string };

export type TicketVerdict =
  /** `isNews`: durable before anything is answered. */
  | { readonly t: "admit"; readonly roles: readonly PeerRole[]; readonly isNews: boolean }
  | { readonly t: "expired"; readonly at: number }
  | { readonly t: "used"; readonly by: string }
  | { readonly t: "unknown" };

export interface TicketStep {
  readonly tickets: Tickets;
  readonly verdict: TicketVerdict;
}

export function stepTickets(tickets: Tickets, event: TicketEvent, now: number): TicketStep {
  if (event.t === "issued") return issue(tickets, event.ticket, now);
  const ticket = tickets.get(event.id);
  if (ticket === undefined) return { tickets, verdict: { t: "unknown" } };
  const { roles, usedBy } = ticket;
  if (usedBy !== undefined) {
    const isAgain = usedBy.peer === event.peer;
    return {
      tickets,
      verdict: isAgain ? { t: "admit", roles, isNews: false } : { t: "used", by: usedBy.name },
    };
  }
  if (now > ticket.expiresAt) return { tickets, verdict: { t: "expired", at: ticket.expiresAt } };
  const burnt = { ...ticket, usedBy: { peer: event.peer, name: event.name, at: now } };
  return {
    tickets: new Map(tickets).set(ticket.id, burnt),
    verdict: { t: "admit", roles, isNews: true },
  };
}

function issue(tickets: Tickets, ticket: IssuedTicket, now: number): TicketStep {
  const kept = [...tickets.values()].filter((old) => endOf(old) + TICKET_KEPT_MS > now);
  // Those that ended first go first; an open one goes only when nothing else is left.
  const byEnd = kept.sort((a, b) => endOf(b) - endOf(a)).slice(0, TICKETS_MAX - 1);
  const next = new Map(byEnd.map((old) => [old.id, old]));
  next.set(ticket.id, ticket);
  return { tickets: next, verdict: { t: "admit", roles: ticket.roles, isNews: true } };
}

function endOf(ticket: IssuedTicket): number {
  return ticket.usedBy?.at ?? ticket.expiresAt;
}
