/** What somebody without the secret can do: connect, waste a little of our time, and nothing else. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import * as v from "valibot";
import { encodeFrame, FrameReader } from "../../../../daemon/net/frame-codec.ts";
import { CONTROL_PROTOCOL, createHost, JOIN_PROTOCOL } from "../../../../daemon/net/libp2p-host.ts";
import type { Libp2pTransport } from "../../../../daemon/net/libp2p-transport.ts";
import { systemClock, delay } from "../../../../src/env/clock.ts";
import { connected } from "../../../../src/testing/conformance/transport.ts";
import { helloCodec } from "../../../../src/wire/hello-message.ts";
import { message } from "../../../../src/wire/message.ts";
import type { RequestType } from "../../../../src/wire/transport.ts";
import { openGate, startPeer, stopAll, testIdentity } from "../../../support/libp2p-peers.ts";
import { portOf } from "../../../support/tcp-relay.ts";

const echo: RequestType<{ n: number }, { n: number }> = {
  name: "/mf/test/1/echo",
  query: message(v.object({ n: v.number() })),
  answer: message(v.object({ n: v.number() })),
};

/** Multistream-select's greeting: after it a stranger has our attention. */
const MULTISTREAM = Buffer.from("\u0013/multistream/1.0.0\n");

test("random bytes, half-open connections and huge lengths harm nobody", async () => {
  await withPair(async (a, b) => {
    const port = portOf(b.listenAddresses()[0]);
    const openings: readonly (Buffer | undefined)[] = [
      undefined,
      randomBytes(1),
      randomBytes(100_000),
      Buffer.from("ffffffffffffffff7f", "hex"),
      Buffer.alloc(1_000, 0xff),
      MULTISTREAM,
      Buffer.concat([MULTISTREAM, Buffer.from("ffffff7f", "hex"), randomBytes(10_000)]),
      Buffer.concat([MULTISTREAM, lengthPrefixed("/noise\n"), Buffer.from("ffff", "hex")]),
      Buffer.concat([MULTISTREAM, lengthPrefixed("/noise\n"), randomBytes(70_000)]),
      Buffer.concat([MULTISTREAM, lengthPrefixed("/plaintext/2.0.0\n"), randomBytes(100)]),
      Buffer.concat([MULTISTREAM, lengthPrefixed("/mf/join-noise\n"), randomBytes(100)]),
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ];
    const strangers = await Promise.all(openings.map((opening) => stranger(port, opening)));
    for (let n = 0; n < 20; n++) await answered(a, b, n);
    assert.deepEqual(b.connected(), [a.self]);
    for (const socket of strangers) socket.destroy();
  });
});

test("a half-open connection is thrown out within the deadline", async () => {
  const peer = await startPeer(1);
  try {
    const socket = await stranger(portOf(peer.listenAddresses()[0]), MULTISTREAM);
    const from = systemClock.monotonic();
    await new Promise((resolve) => socket.on("close", resolve));
    assert.ok(systemClock.monotonic() - from < 8_000);
  } finally {
    await peer.stop();
  }
});

test("over the join encrypter member protocols are not answered", async () => {
  const peer = await startPeer(1);
  const host = await createHost({ identity: testIdentity(8), listen: [] });
  await host.libp2p.start();
  try {
    const connection = await host.libp2p.dial(peer.addresses().map((one) => multiaddr(one)));
    assert.equal(connection.encryption, "/mf/join-noise");
    const ended = new Promise((resolve) => connection.addEventListener("close", resolve));
    const stream = await connection.newStream(CONTROL_PROTOCOL).catch(() => undefined);
    let heardBytes = 0;
    stream?.addEventListener("message", ({ data }) => {
      heardBytes += data.byteLength;
    });
    await ended;
    assert.equal(heardBytes, 0);
    assert.deepEqual(peer.connected(), []);
  } finally {
    await host.libp2p.stop();
    await peer.stop();
  }
});

test("a member cannot use the join protocol, and its connection is closed", async () => {
  let isServed = false;
  const gate = {
    ...openGate(),
    serveJoin: async () => {
      isServed = true;
    },
  };
  const peer = await startPeer(1, { gate });
  const { prologue } = gate;
  const host = await createHost({ identity: testIdentity(8), prologue, listen: [] });
  await host.libp2p.start();
  try {
    const connection = await host.libp2p.dial(peer.addresses().map((one) => multiaddr(one)));
    const ended = new Promise((resolve) => connection.addEventListener("close", resolve));
    await connection.newStream(JOIN_PROTOCOL).catch(() => undefined);
    await ended;
    assert.equal(isServed, false);
  } finally {
    await host.libp2p.stop();
    await peer.stop();
  }
});

test("a member that opens a stream and never greets, or greets with rubbish, is cut", async () => {
  const gate = openGate();
  const peer = await startPeer(1, { gate });
  const { prologue } = gate;
  const host = await createHost({ identity: testIdentity(8), prologue, listen: [] });
  await host.libp2p.start();
  try {
    const addresses = peer.addresses().map((one) => multiaddr(one));
    for (const opening of [undefined, randomBytes(5_000), Buffer.from("7fffffff00", "hex")]) {
      const connection = await host.libp2p.dial(addresses, { force: true });
      const ended = new Promise((resolve) => connection.addEventListener("close", resolve));
      const stream = await connection.newStream(CONTROL_PROTOCOL);
      if (opening !== undefined) stream.send(opening);
      await ended;
    }
    assert.deepEqual(peer.connected(), []);
  } finally {
    await host.libp2p.stop();
    await peer.stop();
  }
});

test("a member that speaks another version of the wire is refused, with both versions named", async () => {
  const gate = openGate();
  const peer = await startPeer(1, { gate });
  const { prologue } = gate;
  const host = await createHost({ identity: testIdentity(8), prologue, listen: [] });
  await host.libp2p.start();
  try {
    const addresses = peer.addresses().map((one) => multiaddr(one));
    const connection = await host.libp2p.dial(addresses);
    const stream = await connection.newStream(CONTROL_PROTOCOL);
    const reason = new Promise<string>((resolve) => {
      const reader = new FrameReader({
        judge: () => ({ bytesMax: helloCodec.bytesMax, isWanted: true }),
        take({ k, body }) {
          if (k === "refusal") resolve(Buffer.from(body).toString());
          return undefined;
        },
      });
      stream.addEventListener("message", ({ data }) => void reader.push(data.subarray()));
    });
    const credentials = new Uint8Array();
    const body = helloCodec.encode({ version: 99, credentials, addresses: [] });
    stream.send(encodeFrame({ k: "hello", id: 0, name: "", body }));
    assert.match(await reason, /version 99, we 1/u);
  } finally {
    await host.libp2p.stop();
    await peer.stop();
  }
});

test("a flood from 50 connections leaves memory flat and members answered", async () => {
  await withPair(async (a, b) => {
    const port = portOf(b.listenAddresses()[0]);
    const flood = new AbortController();
    const rounds = Array.from({ length: 50 }, () => floodFrom(port, flood.signal));
    await delay(systemClock, 500);
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    let worstMs = 0;
    const until = systemClock.monotonic() + 3_000;
    for (let n = 0; systemClock.monotonic() < until; n++) {
      const from = systemClock.monotonic();
      await answered(a, b, n);
      worstMs = Math.max(worstMs, systemClock.monotonic() - from);
    }
    const grownMb = (process.memoryUsage().rss - before) / 2 ** 20;
    flood.abort();
    const connectionCounts = await Promise.all(rounds);
    assert.ok(connectionCounts.every((count) => count > 0));
    assert.ok(worstMs < 1_000, `the slowest answer took ${worstMs} ms`);
    assert.ok(grownMb < 150, `${grownMb} MB more`);
    assert.ok(a.isConnected(b.self));
  });
});

async function answered(a: Libp2pTransport, b: Libp2pTransport, n: number): Promise<void> {
  assert.deepEqual(await a.request(b.self, echo, { n }, { timeoutMs: 2_000 }), { n });
}

async function withPair(
  body: (a: Libp2pTransport, b: Libp2pTransport) => Promise<void>,
): Promise<void> {
  const [a, b] = await Promise.all([startPeer(1), startPeer(2)]);
  try {
    b.handle(echo, async (_, query) => query);
    await connected({ a, b, breakConnection: () => undefined, close: async () => undefined });
    await body(a, b);
  } finally {
    await stopAll([a, b]);
  }
}

/** Connects and sends `opening`; what comes back and how it ends is of no interest. */
async function stranger(port: number, opening: Buffer | undefined): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise((resolve) => socket.once("connect", resolve));
  if (opening !== undefined) socket.write(opening);
  return socket;
}

/** Random bytes over one connection after another; returns how many connections it took. */
async function floodFrom(port: number, signal: AbortSignal): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    const socket = connect(port, "127.0.0.1");
    count++;
    const ended = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => undefined);
    socket.resume();
    const opening = count % 2 === 0 ? MULTISTREAM : Buffer.alloc(0);
    socket.write(Buffer.concat([opening, randomBytes(20_000)]));
    await Promise.race([ended, delay(systemClock, 200, signal)]);
    socket.destroy();
  }
  return count;
}

function lengthPrefixed(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
}
