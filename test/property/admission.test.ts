import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { keyPairOf, peerIdOf } from "../../src/trust/ed25519.ts";
import { parseTicket, type Ticket, ticketText } from "../../daemon/admission/ticket.ts";
import { stepTickets, type Tickets } from "../../daemon/admission/ticket-machine.ts";
import { isMfError } from "../../src/model/errors.ts";
import { PEER_ROLES, type PeerId } from "../../src/model/peer.ts";
import { base58Decode, base58Encode } from "../../src/std/base58.ts";
import { AdmissionFixture } from "../support/admission-fixture.ts";

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const someTicket: fc.Arbitrary<Ticket> = fc.record({
  mesh: bytes(16).map((data) => Buffer.from(data).toString("hex")),
  issuer: bytes(32).map((data) => peerIdOf(data)),
  addresses: fc.array(
    fc.ipV4().map((ip) => `/ip4/${ip}/tcp/4001`),
    { minLength: 1, maxLength: 8 },
  ),
  secret: bytes(16),
  expiresAt: fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000),
  roles: fc.uniqueArray(fc.constantFrom(...PEER_ROLES), { minLength: 1 }),
});

test("base58 gives every byte back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (data) => {
      assert.deepEqual(base58Decode(base58Encode(data)), data);
    }),
  );
});

test("a ticket's text says what the ticket said, and never with one letter changed or lost", () => {
  fc.assert(
    fc.property(someTicket, fc.nat(), fc.integer({ min: 33, max: 126 }), (ticket, nat, code) => {
      const text = ticketText(ticket);
      const read = parseTicket(text);
      assert.deepEqual(
        { ...read, secret: [...read.secret] },
        { ...ticket, secret: [...ticket.secret] },
      );
      const at = nat % text.length;
      const letter = String.fromCharCode(code);
      const changed = text.slice(0, at) + letter + text.slice(at + 1);
      const lost = text.slice(0, at) + text.slice(at + 1);
      for (const wrong of changed === text ? [lost] : [changed, lost]) {
        assert.throws(
          () => parseTicket(wrong),
          (error) => isMfError(error, "TICKET_INVALID"),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test("any text is either a ticket or TICKET_INVALID", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `mft1${text}`),
      ),
      (text) => {
        assert.throws(
          () => parseTicket(text),
          (error) => isMfError(error, "TICKET_INVALID"),
        );
      },
    ),
  );
});

test("A1: whatever happens in whatever order, a ticket lets in at most one identity", () => {
  const peers = ["ann", "bob", "eve"] as PeerId[];
  const event = fc.record({
    peer: fc.constantFrom(...peers),
    id: fc.constantFrom("a", "b", "c"),
    isIssue: fc.boolean(),
    waitMs: fc.nat(2000),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let tickets: Tickets = new Map();
      let now = 0;
      const admitted = new Map<string, Set<PeerId>>();
      const known = new Set<string>();
      for (const { peer, id, isIssue, waitMs } of events) {
        now += waitMs;
        // An id is a hash of 16 random bytes: it is issued once.
        if (isIssue && !known.has(id)) {
          known.add(id);
          const ticket = { id, key: "00", roles: ["work"], expiresAt: now + 5000 } as const;
          ({ tickets } = stepTickets(tickets, { t: "issued", ticket }, now));
          continue;
        }
        const step = stepTickets(tickets, { t: "proven", id, peer, name: peer }, now);
        ({ tickets } = step);
        if (step.verdict.t === "admit") {
          admitted.set(id, (admitted.get(id) ?? new Set<PeerId>()).add(peer));
        }
      }
      for (const who of admitted.values()) assert.equal(who.size, 1);
    }),
  );
});

test("whatever bytes a peer shows, the gate answers, and refuses", async (t) => {
  const fixture = new AdmissionFixture();
  t.after(() => fixture.dispose());
  const { admission } = await fixture.open("anna");
  const stranger = peerIdOf(keyPairOf(new Uint8Array(32).fill(3)).publicKey);
  const own = admission.credentials();
  const mutated = fc
    .array(fc.tuple(fc.nat(own.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const data = Uint8Array.from(own);
      for (const [at, value] of changes) data[at] = value;
      return data;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), mutated), (data) => {
      assert.equal(admission.admit(stranger, data).isAdmitted, false);
    }),
  );
});
