import assert from "node:assert/strict";
import { test } from "node:test";
import { type JoinRate, stepJoinRate } from "../../../../daemon/admission/join-rate-machine.ts";
import { momentText, spanText } from "../../../../daemon/admission/span-text.ts";
import {
  type IssuedTicket,
  stepTickets,
  type Tickets,
} from "../../../../daemon/admission/ticket-machine.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { DAY, HOUR } from "../../../support/admission-fixture.ts";

const ann = "ann" as PeerId;
const bob = "bob" as PeerId;

function issued(id: string, expiresAt: number): IssuedTicket {
  return { id, key: "00", roles: ["work"], expiresAt };
}

function withTickets(...tickets: IssuedTicket[]): Tickets {
  return new Map(tickets.map((ticket) => [ticket.id, ticket]));
}

const proven = (id: string, peer: PeerId) => ({ t: "proven", id, peer, name: peer }) as const;

test("a proven ticket is burnt for whoever proved it, who alone may come again", () => {
  const first = stepTickets(withTickets(issued("a", HOUR)), proven("a", ann), 10);
  assert.deepEqual(first.verdict, { t: "admit", roles: ["work"], isNews: true });
  assert.deepEqual(first.tickets.get("a")?.usedBy, { peer: ann, name: "ann", at: 10 });
  const again = stepTickets(first.tickets, proven("a", ann), 2 * HOUR);
  assert.deepEqual(again.verdict, { t: "admit", roles: ["work"], isNews: false });
  assert.equal(again.tickets, first.tickets);
  const other = stepTickets(first.tickets, proven("a", bob), 20);
  assert.deepEqual(other.verdict, { t: "used", by: "ann" });
});

test("the last moment of a ticket's life still counts", () => {
  const tickets = withTickets(issued("a", HOUR));
  assert.equal(stepTickets(tickets, proven("a", ann), HOUR).verdict.t, "admit");
  assert.deepEqual(stepTickets(tickets, proven("a", ann), HOUR + 1).verdict, {
    t: "expired",
    at: HOUR,
  });
  assert.equal(stepTickets(tickets, proven("b", ann), 0).verdict.t, "unknown");
});

test("finished tickets are remembered for a week, and never more than a thousand in all", () => {
  let tickets: Tickets = new Map();
  for (let i = 0; i < 1200; i++) {
    const ticket = issued(`t${i}`, HOUR + i);
    tickets = stepTickets(tickets, { t: "issued", ticket }, 0).tickets;
  }
  assert.equal(tickets.size, 1000);
  assert.ok(tickets.has("t1199"));
  assert.ok(!tickets.has("t0"), "what ends first goes first");
  const last = { t: "issued", ticket: issued("new", 9 * DAY) } as const;
  assert.deepEqual([...stepTickets(tickets, last, 8 * DAY).tickets.keys()], ["new"]);
});

test("five tries a minute of one identity, sixty of all strangers, and the window slides", () => {
  let rate: JoinRate = [];
  const attempt = (peer: string, at: number, isKnownTicket = false): boolean => {
    const step = stepJoinRate(rate, { peer: peer as PeerId, at, isKnownTicket });
    ({ rate } = step);
    return step.isAllowed;
  };
  for (let i = 0; i < 5; i++) assert.equal(attempt("ann", i * 1000), true);
  assert.equal(attempt("ann", 5000), false);
  assert.equal(attempt("ann", 60_000), true, "the first is out of the window");
  for (let i = 0; i < 200; i++) attempt(`x${i}`, 60_000);
  assert.ok(rate.length <= 60);
  assert.equal(attempt("y", 60_000), false);
  assert.equal(attempt("z", 60_000, true), true, "who holds a ticket is not kept out by noise");
});

test("times as people say them", () => {
  for (const [ms, text] of [
    [40_000, "40 s"],
    [-HOUR, "60 min"],
    [5 * HOUR, "5 h"],
    [12 * DAY, "12 d"],
  ] as const) {
    assert.equal(spanText(ms), text);
  }
  assert.equal(momentText(0), "1970-01-01 00:00 UTC");
  assert.doesNotThrow(() => momentText(Number.MAX_SAFE_INTEGER));
});
