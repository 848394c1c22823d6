import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parseTicket } from "../../../../daemon/admission/ticket.ts";
import type { ErrorCode } from "../../../../src/model/error-table.ts";
import { isMfError, type MfError } from "../../../../src/model/errors.ts";
import { joinHello } from "../../../../src/wire/admission-protocol.ts";
import {
  ADDRESSES,
  AdmissionFixture,
  channelPair,
  DAY,
  HandClock,
  HOUR,
} from "../../../support/admission-fixture.ts";

function fixture(t: TestContext): AdmissionFixture {
  const made = new AdmissionFixture();
  t.after(() => made.dispose());
  return made;
}

async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<MfError> {
  const error = await promise.then(
    () => assert.fail("it succeeded"),
    (error: unknown) => error,
  );
  assert.ok(isMfError(error, code), `${String(error)} is no ${code}`);
  return error;
}

test("a joiner gets a certificate, and both let each other in", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const b = await mesh.open("ben", { join: ticket });
  assert.equal(b.admission.mesh, a.admission.mesh);
  assert.deepEqual(b.admission.prologue, a.admission.prologue);
  assert.deepEqual(b.admission.roles, ["submit", "store", "work"]);
  assert.deepEqual(a.admission.admit(b.peerId, b.admission.credentials()), { isAdmitted: true });
  assert.deepEqual(b.admission.admit(a.peerId, a.admission.credentials()), { isAdmitted: true });
  assert.deepEqual(
    b.admission.seeds().map(({ peer }) => peer),
    [a.peerId],
  );
  assert.equal(a.admission.member(b.peerId)?.certificate?.body.name, "ben");
});

test("a peer of another mesh is refused, and so is a certificate that belongs to somebody else", async (t) => {
  const mesh = fixture(t);
  const [a, x] = [await mesh.open("anna"), await mesh.open("xaver")];
  const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
  assert.notDeepEqual(a.admission.prologue, x.admission.prologue);
  const foreign = a.admission.admit(x.peerId, x.admission.credentials());
  assert.match(foreign.isAdmitted ? "" : foreign.reason, /not of this mesh/);
  const stolen = a.admission.admit(x.peerId, b.admission.credentials());
  assert.match(stolen.isAdmitted ? "" : stolen.reason, /another peer/);
});

test("credentials malformed at any byte never throw, and cut ones let nobody in", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
  const good = b.admission.credentials();
  for (let at = 0; at < good.length; at++) {
    const bad = Uint8Array.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x55;
    a.admission.admit(b.peerId, bad);
    assert.equal(a.admission.admit(b.peerId, good.slice(0, at)).isAdmitted, false);
  }
  assert.equal(a.admission.admit(b.peerId, new Uint8Array(70_000)).isAdmitted, false);
});

test("a ticket works once: the next one is told who used it", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  await mesh.open("ben", { join: ticket });
  const error = await failure(mesh.open("carl", { join: ticket }), "TICKET_USED");
  assert.equal(error.exitCode, 5);
  assert.match(error.message, /by ben/);
});

test("two who show one ticket at the same time: one gets in", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const outcomes = await Promise.allSettled([
    mesh.open("ben", { join: ticket }),
    mesh.open("carl", { join: ticket }),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("an expired ticket is refused by the issuer's clock, and long after without a call", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES, { ttlMs: HOUR });
  mesh.clock.advance(HOUR + 2000);
  await failure(mesh.open("ben", { join: ticket }), "TICKET_EXPIRED");
  mesh.clock.advance(8 * DAY);
  let dials = 0;
  const late = mesh.open("ben", { join: ticket, onDial: () => dials++ });
  await failure(late, "TICKET_EXPIRED");
  assert.equal(dials, 0);
});

test("a ticket cut off, mistyped or of something else is told before any dialling", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const swapped = ticket.slice(0, 40) + (ticket[40] === "a" ? "b" : "a") + ticket.slice(41);
  const cases: [string, RegExp][] = [
    ["", /does not begin/],
    ["mft1", /cut off/],
    ["hello", /does not begin/],
    [ticket.slice(0, -1), /cut off: \d+ of \d+/],
    [ticket.slice(0, 20), /cut off/],
    [`${ticket}x`, /something follows/],
    [swapped, /checksum/],
    [`${ticket.slice(0, 30)}0${ticket.slice(31)}`, /character 31/],
    [`mft1${"z".repeat(9000)}`, /too long/],
  ];
  for (const [text, reason] of cases) {
    const onDial = (): never => assert.fail("dialled");
    const error = await failure(mesh.open("ben", { join: text, onDial }), "TICKET_INVALID");
    assert.match(error.message, reason);
  }
  const broken = `  ${ticket.slice(0, 50)}\n   ${ticket.slice(50)}\n`;
  assert.deepEqual(parseTicket(broken), parseTicket(ticket));
});

test("every single mistyped letter of a ticket is found", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  for (let at = 0; at < ticket.length; at++) {
    const letter = ticket[at] === "k" ? "m" : "k";
    const wrong = ticket.slice(0, at) + letter + ticket.slice(at + 1);
    assert.throws(
      () => parseTicket(wrong),
      (error) => isMfError(error, "TICKET_INVALID"),
    );
  }
});

test("a ticket the issuer does not know is refused, and it does not learn the mesh secret of a liar", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const forgotten = await mesh.open("anna2", { home: mesh.home() });
  // The same issuer, its list of tickets lost.
  const fresh = await mesh.reopen(a);
  assert.notEqual(forgotten.peerId, fresh.peerId);
  await mesh.open("ben", { join: ticket });
  const other = forgotten.admission.invite(ADDRESSES).ticket;
  const onDial = ({ joiner }: ReturnType<typeof channelPair>): void => {
    const pair = channelPair(joiner.remote, a.peerId);
    joiner.other = pair.issuer;
    pair.issuer.other = joiner;
    void fresh.admission.serveJoin(pair.issuer);
  };
  await failure(mesh.open("carl", { join: other, onDial }), "TICKET_REFUSED");
});

test("a connection cut after the ticket was burnt: the same peer asks again and gets in", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const cutBeforeGrant = ({ issuer }: ReturnType<typeof channelPair>, dial: number): void => {
    if (dial === 0) issuer.cutAfter = 1;
  };
  const opening = mesh.open("ben", { join: ticket, onDial: cutBeforeGrant });
  await new Promise((resolve) => setImmediate(resolve));
  const stored = readFileSync(join(a.home, "mesh", "tickets.json"), "utf8");
  assert.match(stored, /"usedBy":\{/, "burnt durably before the answer");
  mesh.clock.advance(1000);
  const b = await opening;
  assert.deepEqual(b.admission.roles, ["submit", "store", "work"]);
  await failure(mesh.open("carl", { join: ticket }), "TICKET_USED");
});

test("a burnt ticket stays burnt over a restart of the issuer", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  await mesh.open("ben", { join: ticket });
  await mesh.reopen(a);
  await failure(mesh.open("carl", { join: ticket }), "TICKET_USED");
});

test("a joiner whose clock is an hour off is told so, and its ticket stays good", async (t) => {
  for (const skewMs of [HOUR, -HOUR]) {
    const mesh = fixture(t);
    const a = await mesh.open("anna");
    const { ticket } = a.admission.invite(ADDRESSES);
    const clock = new HandClock();
    clock.skewMs = skewMs;
    const home = mesh.home();
    const error = await failure(mesh.open("ben", { join: ticket, clock, home }), "CLOCK_SKEWED");
    assert.match(
      error.message,
      /differ by 60 min: .* says 2027-01-15 08:00 UTC, this machine says/,
    );
    assert.match(error.remedy, /Set the clock/);
    clock.skewMs = 0;
    await mesh.open("ben", { join: ticket, clock, home });
  }
});

test("joining twice with one home just connects; a ticket of another mesh is a conflict", async (t) => {
  const mesh = fixture(t);
  const [a, x] = [await mesh.open("anna"), await mesh.open("xaver")];
  const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
  const again = a.admission.invite(["/ip4/10.9.9.9/tcp/1"]).ticket;
  const onDial = (): never => assert.fail("dialled");
  const b2 = await mesh.reopen(b, { join: again, onDial });
  assert.deepEqual(b2.admission.seeds()[0]?.addresses, ["/ip4/10.9.9.9/tcp/1"]);
  assert.equal(b2.opened.boot, 2);
  const other = x.admission.invite(ADDRESSES).ticket;
  const error = await failure(mesh.reopen(b, { join: other, onDial }), "MESH_OTHER");
  assert.equal(error.exitCode, 6);
  await failure(mesh.reopen(a, { join: other, onDial }), "MESH_OTHER");
});

test("only a peer with the role admin invites; it then does so like the first", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
  const refused = await failure((async () => b.admission.invite(ADDRESSES))(), "ADMIN_NEEDED");
  assert.equal(refused.exitCode, 5);
  const { ticket } = a.admission.invite(ADDRESSES, { roles: ["submit", "admin"] });
  const c = await mesh.open("carl", { join: ticket });
  const d = await mesh.open("dora", { join: c.admission.invite(ADDRESSES).ticket });
  assert.equal(a.admission.admit(d.peerId, d.admission.credentials()).isAdmitted, true);
});

test("strangers' tries are limited, and their noise does not keep a ticket's holder out", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const x = await mesh.open("xaver");
  const { ticket } = a.admission.invite(ADDRESSES);
  const send = async (peer: typeof x.peerId): Promise<string> => {
    const pair = channelPair(peer, a.peerId);
    void a.admission.serveJoin(pair.issuer);
    const [nonce, name] = [new Uint8Array(32), "noise"];
    const hello = { v: 1, ticket: new Uint8Array(16), nonce, name, now: mesh.clock.now() };
    await pair.joiner.send(joinHello.encode(hello));
    return Buffer.from(await pair.joiner.receive()).toString("latin1");
  };
  for (let i = 0; i < 5; i++) assert.match(await send(x.peerId), /no such ticket/);
  assert.match(await send(x.peerId), /too many tries/);
  for (let i = 0; i < 60; i++) await send(`12D3KooWstranger${i}` as typeof x.peerId);
  assert.match(await send("12D3KooWlast" as typeof x.peerId), /too many tries/);
  await mesh.open("ben", { join: ticket });
  mesh.clock.advance(61_000);
  assert.match(await send(x.peerId), /no such ticket/);
});

test("a stranger's garbage ends his conversation and nothing else", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  for (const bytes of [0, 1, 100, 70_000]) {
    const pair = channelPair("12D3KooWstranger" as typeof a.peerId, a.peerId);
    const served = a.admission.serveJoin(pair.issuer);
    await pair.joiner.send(new Uint8Array(bytes).fill(0xdf));
    await served;
    await failure(pair.joiner.receive(), "PEER_UNREACHABLE");
  }
});

test("who says nothing is hung up on, and only so many are listened to at once", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const quiet = Array.from({ length: 16 }, () => {
    const pair = channelPair("12D3KooWquiet" as typeof a.peerId, a.peerId);
    return { pair, served: a.admission.serveJoin(pair.issuer) };
  });
  const pair = channelPair("12D3KooWnext" as typeof a.peerId, a.peerId);
  await a.admission.serveJoin(pair.issuer);
  await failure(pair.joiner.receive(), "PEER_UNREACHABLE");
  mesh.clock.advance(10_000);
  await Promise.all(quiet.map(({ served }) => served));
  const { ticket } = a.admission.invite(ADDRESSES);
  await mesh.open("ben", { join: ticket });
});

test("what an issuer answers is believed only if the ticket's secret is in it", async (t) => {
  const mesh = fixture(t);
  const a = await mesh.open("anna");
  const { ticket } = a.admission.invite(ADDRESSES);
  const onDial = ({ issuer, joiner }: ReturnType<typeof channelPair>): void => {
    let sends = 0;
    issuer.send = (data) => {
      const forged = Uint8Array.from(data);
      // A byte inside the grant.
      if (++sends === 2) forged[60] = (forged[60] ?? 0) ^ 1;
      joiner.deliver(forged);
      return Promise.resolve();
    };
  };
  await failure(mesh.open("ben", { join: ticket, onDial }), "PEER_MISBEHAVED");
});

test("a ticket's limits: no roles, too short, too long a life, nowhere to listen", async (t) => {
  const mesh = fixture(t);
  const { admission } = await mesh.open("anna");
  const wrong = [{ roles: [] }, { ttlMs: 5 }, { ttlMs: 60 * DAY }, { ttlMs: Number.NaN }];
  for (const options of wrong) {
    await failure((async () => admission.invite(ADDRESSES, options))(), "USAGE");
  }
  await failure((async () => admission.invite([]))(), "USAGE");
  const many = Array.from(
    { length: 20 },
    (_, i) => `/ip6/fd00:1111:2222:3333:4444:5555:6666:${i}/tcp/40001/p2p/12D3`,
  );
  const parsed = parseTicket(admission.invite(["/ip4/127.0.0.1/tcp/1", ...many]).ticket);
  assert.ok(parsed.addresses.length >= 5 && parsed.addresses.length <= 8);
  assert.ok(!parsed.addresses.some((address) => address.includes("p2p")));
  const [first] = parseTicket(admission.invite(ADDRESSES).ticket).addresses;
  assert.equal(first, "/ip4/10.0.0.1/tcp/4001", "loopback comes last");
});
