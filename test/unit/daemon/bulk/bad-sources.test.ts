import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect as connectPlain } from "node:net";
import { after, test } from "node:test";
import { laneHosts, listenHost } from "../../../../daemon/bulk/serve-service.ts";
import { MfError, isMfError } from "../../../../src/model/errors.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { TICKET, type LaneTicket } from "../../../../src/wire/bulk-protocol.ts";
import { badSource, delegating, dial, settled, TestMesh, type TestPeer } from "./bulk-fixture.ts";

const MIB = 1024 * 1024;

/** One artifact, known to a good peer and a bad one; `b` fetches, the bad one hinted first. */
async function scene(
  bytes: number,
  misdeed: Parameters<typeof badSource>[3],
): Promise<{
  mesh: TestMesh;
  a: TestPeer;
  b: TestPeer;
  bad: Awaited<ReturnType<typeof badSource>>;
  id: Awaited<ReturnType<Store["putBytes"]>>["id"];
}> {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b", { stallMs: 200 });
  const { id } = await a.store.putBytes(randomBytes(bytes), "raw");
  const bad = await badSource(mesh, "bad", a.store, misdeed);
  return { mesh, a, b, bad, id };
}

async function arrives({ a, b, id }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  assert.ok(Buffer.from(await b.store.read(id)).equals(await a.store.read(id)));
  // Scratch segments became part of the store or are gone.
  assert.deepEqual(readdirSync(b.store.scratchDir), []);
}

test("a source that serves wrong bytes is dropped, told of, and the rest comes from another one", async () => {
  const it = await scene(12 * MIB, (piece) => (piece === 3 ? "wrong" : "good"));
  await it.b.bulk.bring([it.id], { hints: [it.bad.id] });
  await arrives(it);
  assert.equal(it.b.bulk.stats().wrongPieces, 1);
  const warning = it.b.warnings.find(({ event }) => event === "bulk.wrong-bytes");
  assert.equal(warning?.fields?.["peer"], "bad");
});

test("with no other source, wrong bytes are missing content, and nothing wrong is kept", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const b = await mesh.peer("b");
  const hidden = new TestMesh();
  after(() => hidden.close());
  const a = await hidden.peer("a");
  const { id } = await a.store.putBytes(randomBytes(2 * MIB), "raw");
  const bad = await badSource(mesh, "bad", a.store, () => "wrong");
  await assert.rejects(b.bulk.bring([id], { hints: [bad.id] }), (error) => {
    return isMfError(error, "CONTENT_MISSING");
  });
  assert.deepEqual(await b.store.has([id]), [false]);
});

test("a transfer that is cut keeps what was verified and goes on from another source", async () => {
  const it = await scene(24 * MIB, (piece) => (piece >= 6 ? "cut" : "good"));
  await it.b.bulk.bring([it.id], { hints: [it.bad.id] });
  await arrives(it);
  const { fetchedBytes } = it.b.bulk.stats();
  // And the manifest: nothing that was verified was fetched twice.
  assert.ok(fetchedBytes < 24 * MIB + 64 * 1024, `${fetchedBytes} bytes`);
  assert.ok(it.bad.served() >= 6);
});

test("a source that stalls is left", async () => {
  const it = await scene(10 * MIB, (piece) => (piece >= 2 ? "silent" : "good"));
  await it.b.bulk.bring([it.id], { hints: [it.bad.id] });
  await arrives(it);
  assert.ok(it.b.bulk.stats().stalls >= 1);
});

test("a source that talks nonsense is dropped", async () => {
  const it = await scene(10 * MIB, (piece) => (piece >= 2 ? "garbage" : "good"));
  await it.b.bulk.bring([it.id], { hints: [it.bad.id] });
  await arrives(it);
});

test("two sources share a large artifact", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const c = await mesh.peer("c");
  const { id } = await a.store.putBytes(randomBytes(64 * MIB), "raw");
  await c.bulk.bring([id]);
  // Both have served before: a lane's thread that must start first would come too late for its share.
  const warmUp = await c.store.putBytes(randomBytes(5 * MIB), "raw");
  await b.bulk.bring([warmUp.id], { hints: [c.id] });
  const served = [a, c].map((peer) => peer.bulk.stats().servedBytes);
  const shares = (): number[] =>
    [a, c].map((peer, position) => peer.bulk.stats().servedBytes - (served[position] ?? 0));
  await b.bulk.bring([id], { hints: [a.id, c.id] });
  await settled(() => shares().reduce((sum, share) => sum + share, 0) >= 64 * MIB);
  assert.ok(
    shares().every((share) => share > 0),
    `shares ${shares().join(", ")}`,
  );
  assert.ok(Buffer.from(await b.store.read(id)).equals(await a.store.read(id)));
});

test("a peer that dies in the middle is replaced by one that still has it", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const c = await mesh.peer("c");
  const { id } = await a.store.putBytes(randomBytes(96 * MIB), "raw");
  await c.bulk.bring([id]);
  let stopped: Promise<void> | undefined;
  await b.bulk.bring([id], {
    hints: [a.id],
    onProgress: () => {
      stopped ??= (mesh.network.kill(a.id), a.bulk.stop());
    },
  });
  assert.notEqual(stopped, undefined);
  await stopped;
  assert.ok(Buffer.from(await b.store.read(id)).equals(await c.store.read(id)));
});

test("the lane knows nobody without a ticket, and a ticket is for one connection, for a while", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  await mesh.peer("a");
  const late = await mesh.peer("late", { ticketTtlMs: 0 });
  const stranger = await mesh.join("stranger" as PeerId);
  const ask = (peer: string): Promise<LaneTicket> =>
    stranger.request(peer as PeerId, TICKET, { lane: "tls-psk" }, { timeoutMs: 5000 });
  const ticket = await ask("a");
  assert.equal(await opens(ticket, { identity: "somebody-else-entirely" }), false);
  assert.equal(await opens(ticket, { key: randomBytes(32) }), false);
  // A wrong key used the ticket up.
  assert.equal(await opens(ticket), false);
  const fresh = await ask("a");
  assert.equal(await opens(fresh), true);
  assert.equal(await opens(fresh), false);
  assert.equal(await opens(await ask(late.id)), false);
});

test("garbage on the lane's port harms nobody", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(3 * MIB), "raw");
  const stranger = await mesh.join("stranger" as PeerId);
  const { port } = await stranger.request(a.id, TICKET, { lane: "tls-psk" }, { timeoutMs: 5000 });
  const closed = Array.from({ length: 20 }, (_, i) => {
    const socket = connectPlain(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume();
    socket.end(i % 2 === 0 ? randomBytes(5000) : Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff]));
    return new Promise((resolve) => socket.on("close", resolve));
  });
  await Promise.all(closed);
  await b.bulk.bring([id]);
  assert.deepEqual(await b.store.has([id]), [true]);
  await settled(() => a.bulk.stats().lanesRefused > 0);
});

test("a ticket's holder that asks nonsense is closed", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const stranger = await mesh.join("stranger" as PeerId);
  const ticket = await stranger.request(a.id, TICKET, { lane: "tls-psk" }, { timeoutMs: 5000 });
  const socket = dial(ticket);
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  socket.resume();
  socket.write(Buffer.alloc(100, 0xff));
  await new Promise((resolve) => socket.once("close", resolve));
});

test("a full disk is STORE_FULL, leaves nothing behind, and the content comes once there is space", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const { id } = await a.store.putBytes(randomBytes(8 * MIB), "raw");
  let isFull = true;
  const b = await mesh.peer("b", {
    wrapStore: (store) => {
      const commit: Store["commit"] = (batch) => {
        if (isFull && batch.written !== undefined) {
          throw new MfError("STORE_FULL", { home: "b" });
        }
        return store.commit(batch);
      };
      return delegating(store, { commit: async (batch) => commit(batch) });
    },
  });
  await assert.rejects(b.bulk.bring([id]), (error) => isMfError(error, "STORE_FULL"));
  assert.deepEqual(readdirSync(b.store.scratchDir), []);
  isFull = false;
  await b.bulk.bring([id]);
  assert.deepEqual(await b.store.has([id]), [true]);
  const tight = await mesh.peer("tight", {
    wrapStore: (store) =>
      delegating(store, { stats: async () => ({ bytes: 0, freeBytes: 1000, segments: 0 }) }),
  });
  await assert.rejects(tight.bulk.bring([id]), (error) => isMfError(error, "STORE_FULL"));
});

test("a lane on a name is dialled by its address", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a", { host: "localhost" });
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(100_000), "raw");
  await b.bulk.bring([id]);
  assert.deepEqual(await b.store.has([id]), [true]);
});

test("a lane is dialled where its daemon listens", () => {
  assert.equal(listenHost("/ip4/10.0.0.7/tcp/0"), "10.0.0.7");
  assert.equal(listenHost("10.0.0.7"), "10.0.0.7");
  assert.deepEqual(laneHosts("10.0.0.7", []), ["10.0.0.7"]);
  assert.deepEqual(laneHosts("0.0.0.0", ["/memory/x"]), ["127.0.0.1"]);
  const all = ["/ip4/127.0.0.1/tcp/1/p2p/x", "/ip4/10.0.0.7/tcp/1/p2p/x", "/dns4/h/tcp/1"];
  assert.deepEqual(laneHosts("0.0.0.0", all), ["10.0.0.7", "127.0.0.1"]);
});

/** Whether the handshake succeeds and the lane stays open long enough to be asked something. */
function opens(
  ticket: LaneTicket,
  wrong: { identity?: string; key?: Uint8Array } = {},
): Promise<boolean> {
  const socket = dial(ticket, wrong);
  return new Promise((resolve) => {
    socket.on("close", () => resolve(false));
    socket.on("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.once("secureConnect", () => {
      const frame = Buffer.alloc(36);
      frame.writeUInt32LE(1, 0);
      socket.write(frame);
    });
  });
}
