/** What every Transport must do, as a suite to run against an implementation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { isMfError, MfError } from "../../model/errors.ts";
import type { ErrorCode } from "../../model/error-table.ts";
import { message, type MessageCodec } from "../../wire/message.ts";
import type { NoticeType, RequestType, Transport, TransportEvent } from "../../wire/transport.ts";

/** Two started transports that know nothing of each other yet. */
export interface TransportPair {
  readonly a: Transport;
  readonly b: Transport;
  /** Cuts what connects them, as a pulled cable or a killed process would; they can find each other again. */
  breakConnection(): void;
  close(): Promise<void>;
}

type Check = (pair: TransportPair) => Promise<void>;

export function transportConformance(name: string, makePair: () => Promise<TransportPair>): void {
  const check = (what: string, body: Check): void => {
    void test(`${name}: ${what}`, async () => {
      const pair = await makePair();
      try {
        await body(pair);
      } finally {
        await pair.close();
      }
    });
  };
  check("a request is answered, both ways", answersRequests);
  check("an error of the handler arrives with its code and details", errorsTravel);
  check("an error that is no MfError arrives as INTERNAL", otherErrorsTravel);
  check("a name without a handler is NOT_AVAILABLE", unknownNames);
  check("an answer that breaks its schema is PEER_MISBEHAVED", malformedAnswers);
  check(
    "a query that breaks its schema is MESSAGE_MALFORMED and nobody's handler sees it",
    badQuery,
  );
  check("no answer in time is PEER_TIMEOUT, and the late one is ignored", timeouts);
  check("an aborted request rejects with the signal's reason", aborts);
  check("notices arrive in order", noticeOrder);
  check("messages up to bytesMax pass, one byte more is refused at the sender", sizes);
  check("big and small messages beside each other arrive whole", bigBesideSmall);
  check("1,000 requests are in flight at once", manyInFlight);
  check("without a connection: requests are PEER_UNREACHABLE, notices vanish", unconnected);
  check("a broken connection rejects what waits, is told, and is made again", reconnects);
  check("forget closes and dials no more", forgets);
  check("stopping is told to the other as an orderly end", orderlyEnd);
  check("a field that is undefined is an absent field", undefinedFields);
}

const TIMEOUT = { timeoutMs: 5_000 };

const echo: RequestType<{ n: number }, { n: number }> = {
  name: "/mf/test/1/echo",
  query: message(v.object({ n: v.number() })),
  answer: message(v.object({ n: v.number() })),
};

const BIG_BYTES_MAX = 2 * 1024 * 1024;
const bytesSchema = v.object({ data: v.instance(Uint8Array) });
/** A map of one, its key, and the header of bytes that long. */
const BIG_OVERHEAD = 1 + 5 + 5;

const big: RequestType<{ data: Uint8Array }, { data: Uint8Array }> = {
  name: "/mf/test/1/big",
  query: message(bytesSchema, BIG_BYTES_MAX),
  answer: message(bytesSchema, BIG_BYTES_MAX),
};

const count: NoticeType<{ n: number; pad?: Uint8Array }> = {
  name: "/mf/test/1/count",
  message: message(v.object({ n: v.number(), pad: v.exactOptional(v.instance(Uint8Array)) })),
};

const answersRequests: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(echo, async (from, query) => {
    assert.equal(from, a.self);
    return { n: query.n + 1 };
  });
  a.handle(echo, async (_, query) => ({ n: query.n - 1 }));
  assert.deepEqual(await a.request(b.self, echo, { n: 1 }, TIMEOUT), { n: 2 });
  assert.deepEqual(await b.request(a.self, echo, { n: 1 }, TIMEOUT), { n: 0 });
};

const errorsTravel: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(echo, async () => {
    throw new MfError("STORE_FULL", { home: "/somewhere" });
  });
  await assert.rejects(a.request(b.self, echo, { n: 1 }, TIMEOUT), (error: unknown) => {
    assert.ok(isMfError(error, "STORE_FULL"));
    assert.deepEqual(error.details, { home: "/somewhere" });
    return true;
  });
};

const otherErrorsTravel: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(echo, async () => {
    throw new TypeError("oops");
  });
  await assert.rejects(a.request(b.self, echo, { n: 1 }, TIMEOUT), withCode("INTERNAL", /oops/));
};

const unknownNames: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const asked = a.request(b.self, echo, { n: 1 }, TIMEOUT);
  await assert.rejects(asked, withCode("NOT_AVAILABLE", /\/mf\/test\/1\/echo/));
};

const malformedAnswers: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const text = message(v.object({ n: v.string() }));
  b.handle({ ...echo, answer: text }, async () => ({ n: "one" }));
  await assert.rejects(a.request(b.self, echo, { n: 1 }, TIMEOUT), withCode("PEER_MISBEHAVED"));
  assert.ok(a.isConnected(b.self), "one bad answer ends no connection");
};

const badQuery: Check = async (pair) => {
  const { a, b } = await connected(pair);
  let isCalled = false;
  b.handle(echo, async (_, query) => {
    isCalled = true;
    return query;
  });
  const text = message(v.object({ n: v.string() }));
  const asked = a.request(b.self, { ...echo, query: text }, { n: "one" }, TIMEOUT);
  await assert.rejects(asked, withCode("MESSAGE_MALFORMED"));
  assert.equal(isCalled, false);
};

const timeouts: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const late = gate();
  b.handle(echo, async (_, query) => {
    if (query.n === 1) await late.opened;
    return query;
  });
  const asked = a.request(b.self, echo, { n: 1 }, { timeoutMs: 20 });
  await assert.rejects(asked, withCode("PEER_TIMEOUT"));
  late.open();
  assert.deepEqual(await a.request(b.self, echo, { n: 2 }, TIMEOUT), { n: 2 });
};

const aborts: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const never = gate();
  b.handle(echo, async (_, query) => {
    await never.opened;
    return query;
  });
  const controller = new AbortController();
  const asked = a.request(b.self, echo, { n: 1 }, { ...TIMEOUT, signal: controller.signal });
  controller.abort(new MfError("INTERRUPTED"));
  await assert.rejects(asked, withCode("INTERRUPTED"));
  const after = a.request(b.self, echo, { n: 1 }, { ...TIMEOUT, signal: controller.signal });
  await assert.rejects(after, withCode("INTERRUPTED"));
  never.open();
};

const noticeOrder: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const heard: number[] = [];
  const all = gate();
  b.listen(count, (from, { n }) => {
    assert.equal(from, a.self);
    heard.push(n);
    if (heard.length === 500) all.open();
  });
  for (let n = 0; n < 500; n++)
    a.send(b.self, count, n % 50 === 7 ? { n, pad: new Uint8Array(40_000) } : { n });
  await all.opened;
  assert.deepEqual(
    heard,
    heard.map((_, i) => i),
  );
};

const sizes: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(big, async (_, query) => ({ data: query.data.slice().reverse() }));
  const data = new Uint8Array(BIG_BYTES_MAX - BIG_OVERHEAD);
  data[0] = 42;
  const answer = await a.request(b.self, big, { data }, TIMEOUT);
  assert.equal(answer.data.length, data.length);
  assert.equal(answer.data.at(-1), 42);
  const over = { data: new Uint8Array(data.length + 1) };
  await assert.rejects(a.request(b.self, big, over, TIMEOUT), withCode("MESSAGE_MALFORMED"));
};

const bigBesideSmall: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(big, async (_, query) => query);
  b.handle(echo, async (_, query) => query);
  const data = new Uint8Array(1024 * 1024).fill(7);
  const bigs = Array.from({ length: 8 }, async () => {
    const answer = await a.request(b.self, big, { data }, TIMEOUT);
    assert.equal(Buffer.compare(answer.data, data), 0);
  });
  const small = a.request(b.self, echo, { n: 1 }, TIMEOUT);
  await Promise.all([small, ...bigs]);
  assert.deepEqual(await small, { n: 1 });
};

const manyInFlight: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const all = gate();
  let servedCount = 0;
  b.handle(echo, async (_, query) => {
    if (++servedCount === 1_000) all.open();
    await all.opened;
    return query;
  });
  const asked = Array.from({ length: 1_000 }, (_, n) => a.request(b.self, echo, { n }, TIMEOUT));
  const answers = await Promise.all(asked);
  assert.deepEqual(
    answers.map(({ n }) => n),
    answers.map((_, n) => n),
  );
};

const unconnected: Check = async ({ a, b }) => {
  await assert.rejects(a.request(b.self, echo, { n: 1 }, TIMEOUT), withCode("PEER_UNREACHABLE"));
  a.send(b.self, count, { n: 1 });
  assert.equal(a.isConnected(b.self), false);
};

const reconnects: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const asked = gate();
  let isSlow = true;
  b.handle(echo, async (_, query) => {
    asked.open();
    if (isSlow) await new Promise(() => undefined);
    return query;
  });
  const lost = a.request(b.self, echo, { n: 1 }, TIMEOUT);
  await asked.opened;
  const told = nextEvent(a, "disconnected");
  const back = Promise.all([nextEvent(a, "connected"), nextEvent(b, "connected")]);
  pair.breakConnection();
  await assert.rejects(lost, withCode("PEER_UNREACHABLE"));
  assert.equal((await told).why, "reset");
  isSlow = false;
  await back;
  assert.deepEqual(await a.request(b.self, echo, { n: 2 }, TIMEOUT), { n: 2 });
};

const forgets: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const told = Promise.all([nextEvent(a, "disconnected"), nextEvent(b, "disconnected")]);
  a.forget(b.self);
  const [here, there] = await told;
  assert.deepEqual([here.why, there.why], ["closed", "closed"]);
  assert.deepEqual([...a.connected(), ...b.connected()], []);
};

const orderlyEnd: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const told = nextEvent(a, "disconnected");
  await b.stop();
  assert.deepEqual(await told, { t: "disconnected", peer: b.self, why: "closed" });
};

const undefinedFields: Check = async (pair) => {
  const { a, b } = await connected(pair);
  const heard = new Promise((resolve) => b.listen(count, (_, notice) => resolve(notice)));
  const codec: MessageCodec<{ n: number; pad?: Uint8Array | undefined }> = message(v.any());
  a.send(b.self, { name: count.name, message: codec }, { n: 3, pad: undefined });
  assert.deepEqual(await heard, { n: 3 });
};

/** `a` keeps `b`, and both know of the connection. */
export async function connected(pair: TransportPair): Promise<TransportPair> {
  const both = Promise.all([nextEvent(pair.a, "connected"), nextEvent(pair.b, "connected")]);
  pair.a.keep(pair.b.self, pair.b.addresses());
  const [here, there] = await both;
  assert.equal(here.peer, pair.b.self);
  assert.equal(there.peer, pair.a.self);
  return pair;
}

export function nextEvent<T extends TransportEvent["t"]>(
  transport: Transport,
  t: T,
): Promise<Extract<TransportEvent, { t: T }>> {
  return new Promise((resolve) => {
    const stop = transport.subscribe((event) => {
      if (!isKind(event, t)) return;
      stop();
      resolve(event);
    });
  });
}

function isKind<T extends TransportEvent["t"]>(
  event: TransportEvent,
  t: T,
): event is Extract<TransportEvent, { t: T }> {
  return event.t === t;
}

function withCode(code: ErrorCode, text = /./u): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isMfError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, text);
    return true;
  };
}

function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
