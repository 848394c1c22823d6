/** What a member that was let in, and means harm, can make another one do: its share, and no more. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import {
  DIAL_MS,
  DOUBTED_PIECES_MAX,
  HANDSHAKE_MS,
  HAVE_AT_ONCE_MAX,
  LANE_OPEN_MS,
  LANES_PER_PEER_MAX,
  LANES_SERVED_MAX,
  SPREAD_FREE_BYTES_MIN,
} from "../../../../daemon/bulk/bulk-limits.ts";
import { Doubts } from "../../../../daemon/bulk/doubts.ts";
import { LaneClient } from "../../../../daemon/bulk/lane-client.ts";
import { PeerTurns } from "../../../../daemon/bulk/peer-turns.ts";
import { cidFromDigest, digestHexOf } from "../../../../src/artifact/cid.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { HAVE, PLEASE_HOLD, TICKET, type LaneTicket } from "../../../../src/wire/bulk-protocol.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { badSource, delegating, dial, settled, TestMesh } from "./bulk-fixture.ts";

const MIB = 1024 * 1024;
/** One address that accepts and says nothing. */
const TRY_MS = DIAL_MS + HANDSHAKE_MS;
const mallory = "mallory" as PeerId;

async function openLane(from: Transport, to: PeerId): Promise<ReturnType<typeof dial>> {
  const ticket: LaneTicket = await from.request(
    to,
    TICKET,
    { lane: "tls-psk" },
    { timeoutMs: 5000 },
  );
  const socket = dial(ticket);
  socket.resume();
  after(() => socket.destroy());
  await once(socket, "secureConnect");
  // The port's greeting has come once an answer has: the lane is among those that are served.
  const frame = Buffer.alloc(36);
  frame.writeUInt32LE(1, 0);
  socket.write(frame);
  await once(socket, "data");
  return socket;
}

test("a source that drips is left for one that gives, though it is never silent", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b", { transferMs: 300 });
  const { id } = await a.store.putBytes(randomBytes(2 * MIB), "raw");
  const bad = await badSource(mesh, "bad", a.store, () => "drip");
  await b.bulk.bring([id], { hints: [bad.id] });
  assert.deepEqual(await b.store.has([id]), [true]);
});

test("one peer has its share of the lanes, and its oldest gives way", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const hoarder = await mesh.join(mallory);
  const lanes: ReturnType<typeof dial>[] = [];
  for (let i = 0; i < LANES_PER_PEER_MAX; i++) lanes.push(await openLane(hoarder, a.id));
  const [oldest] = lanes;
  assert.ok(oldest !== undefined && !oldest.closed);
  const closed = once(oldest, "close");
  await openLane(hoarder, a.id);
  await closed;
  assert.ok(lanes.slice(1).every((lane) => !lane.closed));
});

test("lanes that nobody uses make room for one that is needed", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  for (let peer = 0; peer < LANES_SERVED_MAX / LANES_PER_PEER_MAX; peer++) {
    const transport = await mesh.join(`m${peer}` as PeerId);
    for (let i = 0; i < LANES_PER_PEER_MAX; i++) await openLane(transport, a.id);
  }
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(100_000), "raw");
  await b.bulk.bring([id], { hints: [a.id] });
  assert.deepEqual(await b.store.has([id]), [true]);
});

test("questions without end are answered a few at a time", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  let atOnce = 0;
  let most = 0;
  const a = await mesh.peer("a", {
    wrapStore: (store) => {
      const locate: Store["locate"] = async (ids) => {
        most = Math.max(most, ++atOnce);
        const found = await store.locate(ids);
        atOnce--;
        return found;
      };
      return delegating(store, { locate });
    },
  });
  const asker = await mesh.join(mallory);
  const ids = [cidFromDigest("raw", randomBytes(32))];
  const answers = await Promise.all(
    Array.from({ length: 200 }, () => {
      return asker.request(a.id, HAVE, { ids, inline: true }, { timeoutMs: 10_000 });
    }),
  );
  assert.equal(answers.length, 200);
  assert.ok(most <= HAVE_AT_ONCE_MAX, `${most} at once`);
});

test("content asked for over and over in one question is looked up and sent once", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  let lookedUp = 0;
  const a = await mesh.peer("a", {
    wrapStore: (store) => {
      const locate: Store["locate"] = (ids) => {
        lookedUp += ids.length;
        return store.locate(ids);
      };
      return delegating(store, { locate });
    },
  });
  const { id } = await a.store.putBytes(randomBytes(5 * MIB), "raw");
  const asker = await mesh.join(mallory);
  const ask = { ids: Array.from({ length: 4096 }, () => id), inline: true };
  const { sizes, inline } = await asker.request(a.id, HAVE, ask, { timeoutMs: 10_000 });
  assert.ok(sizes.length === 4096 && sizes.every((size) => size === 5 * MIB));
  assert.equal(inline.length, 1);
  assert.ok(lookedUp <= 2, `${lookedUp} looked up`);
});

test("what waits behind a peer's own turns is bounded, and nothing is kept of a peer that is done", async () => {
  const turns = new PeerTurns({ atOnceMax: 1, waitingMax: 2 });
  const order: string[] = [];
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const work = (peer: string, n: number) =>
    turns.run(peer as PeerId, async () => {
      await gate;
      order.push(`${peer}${n}`);
      return n;
    });
  const mine = [work("x", 1), work("x", 2), work("x", 3), work("x", 4)];
  const other = work("y", 1);
  go();
  assert.deepEqual(await Promise.all(mine), [1, 2, 3, undefined]);
  assert.equal(await other, 1);
  assert.deepEqual(
    order.filter((entry) => entry.startsWith("x")),
    ["x1", "x2", "x3"],
  );
  assert.equal(turns.size, 0);
});

test("copies kept for others leave the disk the room that tasks need", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const { id } = await a.store.putBytes(randomBytes(8 * MIB), "raw");
  const freeBytes = SPREAD_FREE_BYTES_MIN + MIB;
  const b = await mesh.peer("b", {
    wrapStore: (store) =>
      delegating(store, { stats: async () => ({ bytes: 0, freeBytes, segments: 0 }) }),
  });
  const ask = { ids: [id] };
  const { held } = await a.transport.request(b.id, PLEASE_HOLD, ask, { timeoutMs: 10_000 });
  assert.deepEqual(held, [false]);
  await b.bulk.bring([id]);
  assert.deepEqual(await b.store.has([id]), [true], "a task's input may use it");
});

test("doubts make the disk work for so many pieces a minute, and what is not here is no bad copy", async () => {
  const clock = new ManualClock();
  let reads = 0;
  let warnings = 0;
  const doubts = new Doubts({
    store: {
      has: async (ids) => ids.map((id) => id !== absent),
      read: async () => {
        reads++;
        return new Uint8Array();
      },
    },
    clock,
    logger: { ...silentLogger, warn: () => void warnings++ },
  });
  const digests = Array.from({ length: 40 }, (_, i) => digestHexOf(Buffer.from([i])));
  const gone = digestHexOf(Buffer.from("gone"));
  const absent: Cid = cidFromDigest("raw", gone);
  for (let i = 0; i < 10; i++) await doubts.look(mallory, digests);
  assert.equal(reads, DOUBTED_PIECES_MAX);
  await doubts.look("other" as PeerId, [gone, digests[0] as string]);
  assert.equal(reads, DOUBTED_PIECES_MAX + 1, "another peer has its own share");
  assert.equal(warnings, 0);
  clock.advance(60_000);
  await doubts.look(mallory, digests);
  assert.equal(reads, DOUBTED_PIECES_MAX + 41);
});

test("a ticket with many addresses where nobody answers holds a lane up for a bounded time", async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const clock = new ManualClock();
  let failed = 0;
  const hosts = Array.from({ length: 16 }, (_, i) => `127.0.0.${i + 1}`);
  const opening = { peer: mallory, hosts, port: address.port, identity: "x".repeat(16) };
  const lane = new LaneClient(
    { ...opening, key: randomBytes(32) },
    {
      opened: () => undefined,
      failed: () => failed++,
      ended: () => undefined,
      expected: () => undefined,
      owes: () => false,
      received: () => undefined,
      missing: () => undefined,
    },
    { clock, stallMs: 1000 },
  );
  after(() => lane.close());
  for (let dials = 1; (dials - 1) * TRY_MS < LANE_OPEN_MS; dials++) {
    await settled(() => sockets.length >= dials);
    clock.advance(TRY_MS);
  }
  await settled(() => failed === 1);
  assert.equal(sockets.length, Math.ceil(LANE_OPEN_MS / TRY_MS));
});
