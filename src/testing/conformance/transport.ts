/** What every Transport must do, as a suite to run against an implementation. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isMfError, MfError } from "../../model/errors.ts";
import type { ErrorCode } from "../../model/error-table.ts";
import type { MessageCodec } from "../../wire/message.ts";
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
}

const TIMEOUT = { timeoutMs: 5_000 };

/** Codecs of the suite's own: a Transport must need nothing of a message but these two functions and the limit. */
function jsonCodec<M>(isValid: (value: object) => boolean): MessageCodec<M> {
  return {
    bytesMax: 64 * 1024,
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode(data) {
      const value: unknown = JSON.parse(Buffer.from(data).toString());
      if (typeof value === "object" && value !== null && isValid(value)) return value as M;
      throw new MfError("MESSAGE_MALFORMED", { reason: "it is no message of this suite" });
    },
  };
}

const numbers = jsonCodec<{ n: number }>((value) => "n" in value && typeof value.n === "number");
const texts = jsonCodec<{ n: string }>((value) => "n" in value && typeof value.n === "string");

const echo: RequestType<{ n: number }, { n: number }> = {
  name: "/mf/test/1/echo",
  query: numbers,
  answer: numbers,
};

const BIG_BYTES_MAX = 2 * 1024 * 1024;

const bytes: MessageCodec<{ data: Uint8Array }> = {
  bytesMax: BIG_BYTES_MAX,
  encode({ data }) {
    if (data.length <= BIG_BYTES_MAX) return data;
    throw new MfError("MESSAGE_MALFORMED", { reason: `${data.length} bytes` });
  },
  decode: (data) => ({ data: data.slice() }),
};

const big: RequestType<{ data: Uint8Array }, { data: Uint8Array }> = {
  name: "/mf/test/1/big",
  query: bytes,
  answer: bytes,
};

const count: NoticeType<{ n: number; pad?: string }> = {
  name: "/mf/test/1/count",
  message: jsonCodec((value) => "n" in value && typeof value.n === "number"),
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
  b.handle({ ...echo, answer: texts }, async () => ({ n: "one" }));
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
  const asked = a.request(b.self, { ...echo, query: texts }, { n: "one" }, TIMEOUT);
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
    a.send(b.self, count, n % 50 === 7 ? { n, pad: "x".repeat(40_000) } : { n });
  await all.opened;
  assert.deepEqual(
    heard,
    heard.map((_, i) => i),
  );
};

const sizes: Check = async (pair) => {
  const { a, b } = await connected(pair);
  b.handle(big, async (_, query) => ({ data: query.data.slice().reverse() }));
  const data = new Uint8Array(BIG_BYTES_MAX);
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
