import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { Exchange, type Session } from "../../../../daemon/net/exchange.ts";
import { EMPTY, type WireFrame } from "../../../../daemon/net/frame.ts";
import { encodeFrame, FrameReader } from "../../../../daemon/net/frame-codec.ts";
import { Link, type LinkOwner } from "../../../../daemon/net/link.ts";
import type { LinkStream, LinkStreamEvents } from "../../../../daemon/net/link-stream.ts";
import {
  FRAME_BYTES_MAX,
  GREETING_MS,
  PIECE_BYTES,
  QUEUE_BYTES_MAX,
  REQUESTS_SERVED_MAX,
} from "../../../../daemon/net/net-limits.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { defined } from "../../../../src/std/assert.ts";
import { decodeError } from "../../../../src/wire/error-message.ts";
import { helloCodec, WIRE_VERSION } from "../../../../src/wire/hello-message.ts";
import { message } from "../../../../src/wire/message.ts";
import type { NoticeType, RequestType } from "../../../../src/wire/transport.ts";
import { testIdentity } from "../../../support/libp2p-peers.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const self = testIdentity(1).peerId;
const peer = testIdentity(2).peerId;

const ask: RequestType<{ n: number }, { n: number }> = {
  name: "/mf/test/1/ask",
  query: message(v.object({ n: v.number() }), 1_000),
  answer: message(v.object({ n: v.number() }), 1_000),
};
const tell: NoticeType<{ n: number }> = { name: "/mf/test/1/tell", message: ask.query };

test("a peer that accepts and never greets is cut after the deadline", () => {
  const { clock, ends } = fixture();
  clock.advance(GREETING_MS - 1);
  assert.deepEqual(ends, []);
  clock.advance(1);
  assert.deepEqual(ends, ["reset: no greeting in time"]);
  assert.equal(clock.timerCount, 0);
});

test("nothing is answered before both let each other in", () => {
  const { remote, ends, served } = fixture();
  remote.say(request(1));
  assert.deepEqual(ends, ["reset: it speaks before it was let in"]);
  assert.deepEqual(served, []);
});

test("a refused peer hears why, and its requests are not answered", async () => {
  const { remote, ends, served } = fixture({ refusal: "revoked" });
  remote.say(HELLO, WELCOME, request(1));
  await settled();
  const refusal = remote.heard.find(({ k }) => k === "refusal");
  assert.equal(Buffer.from(refusal?.body ?? EMPTY).toString(), "revoked");
  assert.deepEqual(ends, ["denied: revoked"]);
  assert.deepEqual(served, []);
});

test("a malformed greeting ends the link", () => {
  const bodies = [EMPTY, Buffer.from("not MessagePack"), Buffer.from([0x80])];
  for (const body of bodies) {
    const { remote, ends } = fixture();
    remote.say({ ...HELLO, body });
    assert.match(ends.join(), /^reset: A message from a peer is malformed/u);
  }
  const { remote, ends } = fixture();
  remote.say({ ...HELLO, body: new Uint8Array(helloCodec.bytesMax + 1) });
  assert.match(ends.join(), /^reset: hello {2}of \d+ bytes/u);
});

test("malformed frames of an open link end it, each with its reason", () => {
  const cases: readonly [WireFrame, RegExp][] = [
    [{ ...request(1), name: "" }, /request without a name/u],
    [{ k: "notice", id: 0, name: "", body: EMPTY }, /notice without a name/u],
    [{ k: "answer", id: 1, name: "x", body: EMPTY }, /answer with a name/u],
    [{ k: "ping", id: 0, name: "", body: new Uint8Array(1) }, /ping {2}of 1 bytes, at most 0/u],
    [{ k: "notice", id: 0, name: tell.name, body: Buffer.from([0xc1]) }, /malformed/u],
    [{ ...request(1), body: new Uint8Array(1_001) }, /of 1001 bytes, at most 1000/u],
    [{ k: "piece", id: 0, name: "", body: new Uint8Array(PIECE_BYTES + 1) }, /at most/u],
    [{ k: "piece", id: 0, name: "", body: encodeFrame(WELCOME) }, /never comes in pieces/u],
    [
      { k: "piece", id: 0, name: "", body: encodeFrame({ ...WELCOME, k: "piece" }) },
      /never comes in pieces/u,
    ],
    [HELLO, /greeted twice/u],
    [WELCOME, /welcomed twice/u],
  ];
  for (const [frame, reason] of cases) {
    const { remote, ends } = fixture();
    remote.say(HELLO, WELCOME, frame);
    assert.match(ends.join(), reason);
  }
});

test("a malformed query is answered with an error and the link goes on", async () => {
  const { remote, ends } = fixture();
  remote.say(HELLO, WELCOME, { ...request(5), body: Buffer.from([0xc1]) }, request(6));
  await settled();
  const [error, answer] = remote.heard.filter(({ id }) => id > 0);
  assert.equal(error?.id, 5);
  assert.equal(decodeError(error?.body ?? EMPTY).code, "MESSAGE_MALFORMED");
  assert.deepEqual([answer?.k, answer?.id], ["answer", 6]);
  assert.deepEqual(ends, []);
});

test("unknown notices, late answers and huge ones of no request are skipped", async () => {
  const { remote, ends } = fixture();
  const big = new Uint8Array(1024 * 1024);
  remote.say(HELLO, WELCOME);
  remote.say({ k: "notice", id: 0, name: "/mf/new/9/thing", body: big });
  remote.say({ k: "answer", id: 77, name: "", body: big });
  remote.say({ k: "error", id: 77, name: "", body: big }, request(1));
  await settled();
  assert.deepEqual(ends, []);
  assert.equal(remote.heard.at(-1)?.k, "answer");
  remote.sayHead({ k: "answer", id: 77, name: "", body: EMPTY }, FRAME_BYTES_MAX + 1);
  assert.match(ends.join(), /at most/u);
});

test("an answer that is an error record of nonsense is the peer's misbehaviour", async () => {
  const { remote, exchange } = fixture();
  remote.say(HELLO, WELCOME);
  const asked = exchange.request(peer, ask, { n: 1 }, { timeoutMs: 1_000 });
  await settled();
  const id = defined(remote.heard.find(({ k }) => k === "request")).id;
  remote.say({ k: "error", id, name: "", body: Buffer.from([0xc1]) });
  await assert.rejects(asked, (error) => isMfError(error, "PEER_MISBEHAVED"));
});

test("requests of one peer beyond the limit are refused, not queued", async () => {
  const { remote, served } = fixture({ isSlow: true });
  remote.say(HELLO, WELCOME);
  for (let id = 1; id <= REQUESTS_SERVED_MAX + 3; id++) remote.say(request(id));
  await settled();
  assert.equal(served.length, REQUESTS_SERVED_MAX);
  const errors = remote.heard.filter(({ k }) => k === "error");
  assert.equal(errors.length, 3);
});

test("what waits for a peer that does not read is bounded: notices drop, requests fail", async () => {
  const { remote, exchange, stream } = fixture();
  remote.say(HELLO, WELCOME);
  await settled();
  stream.isFull = true;
  const big: NoticeType<{ pad: Uint8Array }> = {
    name: "/mf/test/1/big",
    message: message(v.object({ pad: v.instance(Uint8Array) }), 2_000_000),
  };
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 40; i++) exchange.send(peer, big, { pad: new Uint8Array(1_000_000) });
    await settled();
  }
  await assert.rejects(
    exchange.request(peer, big2(), { pad: new Uint8Array(1_000_000) }, { timeoutMs: 1_000 }),
    (error) => isMfError(error, "PEER_UNREACHABLE"),
  );
  const before = stream.sentBytes;
  stream.drain();
  await settled();
  assert.ok(stream.sentBytes - before <= QUEUE_BYTES_MAX + 1_000_000);
});

test("a peer that asks on and reads nothing is cut before its errors fill the memory", async () => {
  const { remote, stream, ends } = fixture();
  remote.say(HELLO, WELCOME);
  await settled();
  stream.isFull = true;
  const name = `/mf/none/1/${"x".repeat(100)}`;
  for (let i = 0; i < 200_000 && ends.length === 0; i++) {
    remote.say({ k: "request", id: i, name, body: EMPTY });
    if (i % 1_000 === 0) await settled();
  }
  await settled();
  assert.deepEqual(ends, ["reset: it asks much and reads nothing"]);
});

test("a silent peer is pinged and then given up, one that answers is not", async () => {
  const { remote, link, ends } = fixture();
  remote.say(HELLO, WELCOME);
  link.tick();
  link.tick();
  await settled();
  assert.equal(remote.heard.at(-1)?.k, "ping");
  remote.say({ k: "pong", id: 0, name: "", body: EMPTY });
  for (let i = 0; i < 3; i++) link.tick();
  assert.deepEqual(ends, []);
  link.tick();
  assert.deepEqual(ends, ["reset: it fell silent"]);
});

const HELLO: WireFrame = {
  k: "hello",
  id: 0,
  name: "",
  body: helloCodec.encode({ version: WIRE_VERSION, credentials: new Uint8Array(3), addresses: [] }),
};
const WELCOME: WireFrame = { k: "welcome", id: 0, name: "", body: EMPTY };

function request(id: number): WireFrame {
  return { k: "request", id, name: ask.name, body: ask.query.encode({ n: id }) };
}

function big2(): RequestType<{ pad: Uint8Array }, { n: number }> {
  const query = message(v.object({ pad: v.instance(Uint8Array) }), 2_000_000);
  return { name: "/mf/test/1/big2", query, answer: ask.answer };
}

/** Lets handlers and the pump, which run in microtasks, come to their end. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

class FakeStream implements LinkStream {
  events: LinkStreamEvents | undefined;
  isFull = false;
  sentBytes = 0;
  readonly #reader: FrameReader;

  constructor(heard: WireFrame[]) {
    this.#reader = new FrameReader({
      judge: () => ({ bytesMax: FRAME_BYTES_MAX, isWanted: true }),
      take(frame) {
        heard.push({ ...frame, body: frame.body.slice() });
        return undefined;
      },
    });
  }

  send(data: Uint8Array): boolean {
    this.sentBytes += data.length;
    this.#reader.push(data);
    return !this.isFull;
  }

  attach(events: LinkStreamEvents): void {
    this.events = events;
  }

  drain(): void {
    this.isFull = false;
    this.events?.drained();
  }

  async end(): Promise<void> {
    await Promise.resolve();
  }
}

function fixture(options: { refusal?: string; isSlow?: boolean } = {}) {
  const clock = new ManualClock();
  const exchange = new Exchange({ self, clock, logger: silentLogger });
  const ends: string[] = [];
  const served: number[] = [];
  const heard: WireFrame[] = [];
  const stream = new FakeStream(heard);
  let session: Session | undefined;
  exchange.handle(ask, async (_, query) => {
    served.push(query.n);
    if (options.isSlow === true) await new Promise(() => undefined);
    return query;
  });
  exchange.listen(tell, () => undefined);
  const owner: LinkOwner = {
    hello: () => ({ version: WIRE_VERSION, credentials: new Uint8Array(), addresses: [] }),
    judge: () => options.refusal,
    opened: (link) => {
      session = exchange.open(peer, (frame) => link.post(frame));
    },
    ended: (_, { why, reason }) => {
      ends.push(`${why}: ${reason}`);
      exchange.close(peer, reason);
    },
    bodyVerdict: (_, header) => exchange.bodyVerdict(defined(session), header),
    received: (_, frame) => exchange.receive(defined(session), frame),
  };
  const link = new Link({ peer, stream, isDialler: true, clock, owner });
  const remote = {
    heard,
    say: (...frames: WireFrame[]) =>
      stream.events?.data(Buffer.concat(frames.map((frame) => encodeFrame(frame)))),
    sayHead(frame: WireFrame, bytes: number) {
      const data = Buffer.from(encodeFrame(frame));
      data.writeUInt32BE(bytes + data.length - 4, 0);
      stream.events?.data(data);
    },
  };
  return { clock, exchange, ends, served, stream, link, remote };
}
