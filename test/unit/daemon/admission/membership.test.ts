import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { AdmissionEvent } from "../../../../daemon/admission/mesh-admission.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { certificateNotice, revocationsNotice } from "../../../../src/wire/admission-protocol.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import {
  ADDRESSES,
  AdmissionFixture,
  DAY,
  type FixtureDaemon,
  HandClock,
  HOUR,
} from "../../../support/admission-fixture.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../../support/memory-network.ts";

interface Connected extends FixtureDaemon {
  readonly transport: Transport;
  readonly events: AdmissionEvent[];
}

class Mesh extends AdmissionFixture {
  readonly network: MemoryNetwork = createMemoryNetwork({ clock: this.clock });

  constructor(t: TestContext) {
    super();
    t.after(() => this.dispose());
  }

  /** Opens daemons that joined by the first, each with a transport and its events. */
  async members(...names: string[]): Promise<Connected[]> {
    const [first = "anna", ...rest] = names;
    const a = await this.open(first);
    const others: FixtureDaemon[] = [];
    for (const name of rest) {
      const { ticket } = a.admission.invite(ADDRESSES);
      others.push(await this.open(name, { join: ticket }));
    }
    return Promise.all([a, ...others].map((daemon) => this.connect(daemon)));
  }

  async connect(daemon: FixtureDaemon): Promise<Connected> {
    const transport = this.network.transport(daemon.peerId);
    const events: AdmissionEvent[] = [];
    daemon.admission.subscribe((event) => events.push(event));
    daemon.admission.attach(transport);
    await transport.start();
    return { ...daemon, transport, events };
  }
}

/** As the network does it: both hellos are judged, then the connection counts. */
async function meet(a: Connected, b: Connected): Promise<boolean> {
  const both = [
    a.admission.admit(b.peerId, b.admission.credentials()),
    b.admission.admit(a.peerId, a.admission.credentials()),
  ];
  if (!both.every((verdict) => verdict.isAdmitted)) return false;
  a.transport.keep(b.peerId, [`/memory/${b.peerId}`]);
  await settle();
  return true;
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

function reasonOf(judge: Connected | FixtureDaemon, of: FixtureDaemon): string {
  const verdict = judge.admission.admit(of.peerId, of.admission.credentials());
  return verdict.isAdmitted ? "" : verdict.reason;
}

test("a revocation reaches everybody connected, also by way of a third, and counts from then on", async (t) => {
  const mesh = new Mesh(t);
  const [a, b, c, d] = (await mesh.members("anna", "ben", "carl", "dora")) as [
    Connected,
    Connected,
    Connected,
    Connected,
  ];
  await meet(a, b);
  await meet(b, c);
  await meet(b, d);
  await meet(a, d);
  assert.deepEqual(a.admission.revoke("dora"), { peer: d.peerId, name: "dora" });
  await settle();
  for (const peer of [a, b, c, d]) {
    assert.deepEqual(peer.events, [{ t: "revoked", peer: d.peerId }]);
  }
  assert.equal(d.admission.isRevoked, true);
  await assert.rejects(mesh.reopen(d), (error) => isMfError(error, "PEER_REVOKED"));
  assert.equal(reasonOf(c, d), "it was revoked");
  assert.ok(!a.admission.seeds().some(({ peer }) => peer === d.peerId));
  a.admission.revoke("dora");
  await settle();
  assert.equal(c.events.length, 1);
});

test("a peer that was away learns of a revocation by the first hello, and keeps it over a restart", async (t) => {
  const mesh = new Mesh(t);
  const [a, b, c] = (await mesh.members("anna", "ben", "carl")) as [
    Connected,
    Connected,
    Connected,
  ];
  a.admission.revoke("carl");
  assert.equal(reasonOf(b, c), "");
  assert.equal(reasonOf(b, a), "");
  assert.equal(reasonOf(b, c), "it was revoked");
  const again = await mesh.reopen(b);
  assert.equal(reasonOf(again, c), "it was revoked");
});

test("two issuers revoke at once: the sets unite, whoever tells first", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.connect(await mesh.open("anna"));
  const { ticket } = a.admission.invite(ADDRESSES, { roles: ["admin"] });
  const b = await mesh.connect(await mesh.open("ben", { join: ticket }));
  const [c, d] = [
    await mesh.open("carl", { join: a.admission.invite(ADDRESSES).ticket }),
    await mesh.open("dora", { join: a.admission.invite(ADDRESSES).ticket }),
  ];
  a.admission.revoke(c.peerId);
  b.admission.revoke(d.peerId);
  assert.equal(await meet(a, b), true);
  for (const judge of [a, b]) {
    for (const gone of [c, d]) assert.equal(reasonOf(judge, gone), "it was revoked");
  }
});

test("more revocations than a hello holds follow when the connection is there", async (t) => {
  const mesh = new Mesh(t);
  const [a, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  const gone: FixtureDaemon[] = [];
  for (let i = 0; i < 70; i++) {
    const { ticket } = a.admission.invite(ADDRESSES);
    gone.push(await mesh.open(`gone-${i}`, { join: ticket }));
    if (i % 5 === 4) mesh.clock.advance(61_000);
  }
  for (const { peerId } of gone) a.admission.revoke(peerId);
  await meet(a, b);
  for (const peer of gone) assert.equal(reasonOf(b, peer), "it was revoked");
});

test("a member cannot revoke without the issuer's key, nor by a forged notice", async (t) => {
  const mesh = new Mesh(t);
  const [a, b, c] = (await mesh.members("anna", "ben", "carl")) as [
    Connected,
    Connected,
    Connected,
  ];
  assert.throws(
    () => b.admission.revoke("carl"),
    (error) => isMfError(error, "ADMIN_NEEDED"),
  );
  await meet(b, c);
  const forged = { body: new Uint8Array(40), signature: new Uint8Array(64) };
  b.transport.send(c.peerId, revocationsNotice, { revocations: [forged] });
  await settle();
  assert.ok(c.logs.some(({ event }) => event === "revocation-forged"));
  assert.deepEqual(c.events, []);
  for (const text of ["nobody", ""]) {
    assert.throws(
      () => a.admission.revoke(text),
      (error) => isMfError(error, "PEER_NOT_FOUND"),
    );
  }
  assert.throws(
    () => a.admission.revoke("anna"),
    (error) => isMfError(error, "USAGE"),
  );
});

test("a name that fits several peers is not guessed at", async (t) => {
  const mesh = new Mesh(t);
  const [a] = (await mesh.members("anna", "lab-1", "lab-2", "lab")) as [Connected];
  assert.throws(
    () => a.admission.revoke("lab-"),
    (error) => isMfError(error, "PATHSPEC_AMBIGUOUS"),
  );
  assert.equal(a.admission.revoke("lab").name, "lab");
});

test("a revoked identity does not get in again with a new ticket", async (t) => {
  const mesh = new Mesh(t);
  const [a] = (await mesh.members("anna")) as [Connected];
  const home = mesh.home();
  const first = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket, home });
  a.admission.revoke("ben");
  writeFileSync(join(home, "mesh", "mesh.json"), "");
  assert.equal(first.admission.isRevoked, false, "nobody told it yet");
  const { rmSync } = await import("node:fs");
  rmSync(join(home, "mesh"), { recursive: true });
  await assert.rejects(
    mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket, home }),
    (error) => isMfError(error, "PEER_REVOKED"),
  );
});

test("a certificate is renewed at two thirds of its life by any connected issuer, and others are told", async (t) => {
  const mesh = new Mesh(t);
  const [a, b, c] = (await mesh.members("anna", "ben", "carl")) as [
    Connected,
    Connected,
    Connected,
  ];
  await meet(a, b);
  await meet(b, c);
  const until = b.admission.certifiedUntil;
  await b.admission.upkeep();
  assert.equal(b.admission.certifiedUntil, until, "nothing is due");
  mesh.clock.advance(60 * DAY);
  await b.admission.upkeep();
  await settle();
  assert.equal(b.admission.certifiedUntil, until + 60 * DAY);
  assert.equal(c.admission.member(b.peerId)?.certificate?.body.notAfter, until + 60 * DAY);
  const again = await mesh.reopen(b);
  assert.equal(again.admission.certifiedUntil, until + 60 * DAY);
  await a.admission.upkeep();
  assert.equal(a.admission.certifiedUntil, until + 60 * DAY, "the issuer renews itself");
});

test("no issuer is there: a renewal waits, and says so", async (t) => {
  const mesh = new Mesh(t);
  const [, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  mesh.clock.advance(70 * DAY);
  await b.admission.upkeep();
  assert.ok(b.logs.some(({ event }) => event === "renewal-found-no-issuer"));
});

test("a certificate that ran out while connected is told, and refused from then on", async (t) => {
  const mesh = new Mesh(t);
  const [a, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  await meet(a, b);
  mesh.clock.advance(90 * DAY);
  await a.admission.upkeep();
  assert.deepEqual(a.events, [{ t: "expired", peer: b.peerId }]);
  assert.match(reasonOf(a, b), /expired 24 h ago$/);
  await assert.rejects(mesh.reopen(b), (error) => isMfError(error, "CERTIFICATE_EXPIRED"));
  const { ticket } = a.admission.invite(ADDRESSES);
  const back = await mesh.reopen(b, { join: ticket });
  assert.equal(reasonOf(a, back), "");
});

test("a member whose clock is an hour off is let in, and both sides are told by how much", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.connect(await mesh.open("anna"));
  const clock = new HandClock();
  const { ticket } = a.admission.invite(ADDRESSES);
  const b = await mesh.connect(await mesh.open("ben", { join: ticket, clock }));
  clock.skewMs = -HOUR;
  assert.equal(await meet(a, b), true);
  assert.deepEqual(a.events, [{ t: "clock-skewed", peer: b.peerId, skewMs: -HOUR }]);
  assert.deepEqual(b.events, [{ t: "clock-skewed", peer: a.peerId, skewMs: HOUR }]);
  reasonOf(a, b);
  assert.equal(a.events.length, 1, "once");
});

test("where a wrong clock makes a certificate invalid, the refusal names the clock", async (t) => {
  const mesh = new Mesh(t);
  const [a, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  a.clock.skewMs = 0;
  const clock = new HandClock();
  clock.skewMs = -2 * DAY;
  await assert.rejects(
    mesh.reopen(b, { clock }),
    (error) => isMfError(error, "CLOCK_SKEWED") && error.message.includes("2 d"),
  );
  const judge = await mesh.open("carl", {
    join: a.admission.invite(ADDRESSES).ticket,
    clock: new HandClock(),
  });
  judge.clock.skewMs = 100 * DAY;
  assert.match(reasonOf(judge, b), /expired 11 d ago; its clock is 100 d behind mine/);
});

test("an issuer whose clock runs an hour ahead issues certificates that others accept", async (t) => {
  const mesh = new Mesh(t);
  mesh.clock.skewMs = HOUR;
  const [a, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  mesh.clock.skewMs = 0;
  assert.equal(reasonOf(a, b), "");
});

test("damaged files: what makes a member is told, what can be made anew is set aside", async (t) => {
  const mesh = new Mesh(t);
  const damage = ["", "{", "null", '{"v":2}', '{"v":1,"mesh":"x"}', '{"v":1,"tickets":[{}]}'];
  for (const [name, isFatal] of [
    ["mesh.json", true],
    ["certificate.json", true],
    ["revocations.json", true],
    ["tickets.json", false],
    ["members.json", false],
  ] as const) {
    for (const text of damage) {
      const a = await mesh.open("anna");
      const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
      a.admission.revoke(b.peerId);
      a.admission.stop();
      const file = join(a.home, "mesh", name);
      assert.ok(existsSync(file), name);
      writeFileSync(file, text);
      if (isFatal) {
        await assert.rejects(mesh.reopen(a), (error) => isMfError(error, "FILE_DAMAGED"));
      } else {
        const again = await mesh.reopen(a);
        assert.ok(again.logs.some(({ event }) => event === "mesh-file-set-aside"));
        assert.equal(readFileSync(`${file}.damaged`, "utf8"), text);
      }
    }
  }
});

test("files of somebody else's are not believed: another's certificate, a forged revocation", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.open("anna");
  const b = await mesh.open("ben", { join: a.admission.invite(ADDRESSES).ticket });
  const stolen = readFileSync(join(b.home, "mesh", "certificate.json"));
  writeFileSync(join(a.home, "mesh", "certificate.json"), stolen);
  await assert.rejects(mesh.reopen(a), (error) => isMfError(error, "FILE_DAMAGED"));
  const forged = { body: "80", signature: "00".repeat(64) };
  const file = join(b.home, "mesh", "revocations.json");
  writeFileSync(file, JSON.stringify({ v: 1, revocations: [forged] }));
  await assert.rejects(mesh.reopen(b), (error) => isMfError(error, "FILE_DAMAGED"));
});

test("a notice with another peer's certificate changes nothing", async (t) => {
  const mesh = new Mesh(t);
  const [a, b, c] = (await mesh.members("anna", "ben", "carl")) as [
    Connected,
    Connected,
    Connected,
  ];
  await meet(b, c);
  const certificate = a.admission.member(a.peerId)?.certificate?.signed;
  assert.ok(certificate !== undefined);
  b.transport.send(c.peerId, certificateNotice, { certificate });
  await settle();
  assert.equal(c.admission.member(a.peerId)?.certificate, undefined);
});

test("where peers listen is kept from what they said, and nothing that a file could not hold", async (t) => {
  const mesh = new Mesh(t);
  const [a, b] = (await mesh.members("anna", "ben")) as [Connected, Connected];
  a.admission.noteAddresses(b.peerId, [
    "/ip4/1.2.3.4/tcp/1",
    "/bad address",
    "x",
    `/${"y".repeat(999)}`,
  ]);
  a.admission.stop();
  const again = await mesh.reopen(a);
  assert.deepEqual(again.admission.seeds()[0]?.addresses, ["/ip4/1.2.3.4/tcp/1"]);
  assert.deepEqual(
    again.logs.filter(({ level }) => level === "warn"),
    [],
  );
});
