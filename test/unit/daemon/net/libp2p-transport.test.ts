import assert from "node:assert/strict";
import { test } from "node:test";
import { YamuxStream } from "@libp2p/yamux/stream";
import * as v from "valibot";
import { createJoinDialler } from "../../../../daemon/net/join-dialler.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger, type Logger } from "../../../../src/env/logger.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { connected, nextEvent } from "../../../../src/testing/conformance/transport.ts";
import type { AdmissionGate, JoinChannel } from "../../../../src/wire/admission.ts";
import { message } from "../../../../src/wire/message.ts";
import type { RequestType, TransportEvent } from "../../../../src/wire/transport.ts";
import { openGate, startPeer, stopAll, testIdentity } from "../../../support/libp2p-peers.ts";

const echo: RequestType<{ n: number }, { n: number }> = {
  name: "/mf/test/1/echo",
  query: message(v.object({ n: v.number() })),
  answer: message(v.object({ n: v.number() })),
};
const bytes = message(v.object({ data: v.instance(Uint8Array) }), 8 * 1024 * 1024);
const big: RequestType<{ data: Uint8Array }, { n: number }> = {
  name: "/mf/test/1/big",
  query: bytes,
  answer: echo.answer,
};

test("small messages are not answered with a window update each, and big ones still pass", async (t) => {
  const { mock } = t.mock.method(YamuxStream.prototype, "sendWindowUpdate");
  await withPeers([startPeer(1), startPeer(2)], async ([a, b]) => {
    a.handle(echo, async (_from, query) => query);
    a.handle(big, async (_from, { data }) => ({ n: data.length }));
    await connected({ a, b, breakConnection: () => undefined, close: async () => undefined });
    const before = mock.callCount();
    for (let n = 0; n < 100; n++)
      assert.deepEqual(await b.request(a.self, echo, { n }, { timeoutMs: 5_000 }), { n });
    assert.ok(mock.callCount() - before < 10, `${mock.callCount() - before} updates`);
    const data = new Uint8Array(6 * 1024 * 1024);
    for (let i = 0; i < 3; i++)
      assert.deepEqual(await b.request(a.self, big, { data }, { timeoutMs: 20_000 }), {
        n: data.length,
      });
  });
});

test("a peer with another secret is denied, and the one it dialled stays well", async () => {
  await withPeers([startPeer(1), startPeer(2, { gate: openGate("other") })], async ([a, b]) => {
    const failed = nextEvent(b, "dial-failed");
    b.keep(a.self, a.addresses());
    assert.equal((await failed).why, "denied");
    assert.deepEqual([...a.connected(), ...b.connected()], []);
  });
});

test("who knows the secret but is refused by the gate is told why, and it is logged once", async () => {
  const logs: unknown[] = [];
  const refusing: AdmissionGate = {
    ...openGate(),
    admit: () => ({ isAdmitted: false, reason: "its certificate has expired" }),
  };
  const first = startPeer(1, { gate: refusing, logger: recording(logs) });
  const second = startPeer(2, { logger: recording(logs) });
  await withPeers([first, second], async ([a, b]) => {
    let count = 0;
    const thrice = new Promise<void>((resolve) => {
      b.subscribe((event) => {
        if (event.t === "dial-failed" && event.why === "denied" && ++count === 3) resolve();
      });
    });
    b.keep(a.self, a.addresses());
    await thrice;
    const reason = "its certificate has expired";
    assert.deepEqual(
      logs.filter((entry) => JSON.stringify(entry).includes(reason)),
      [
        { event: "peer-refused", peer: b.self, reason },
        { event: "peer-refuses-us", peer: a.self, reason },
      ],
    );
    assert.deepEqual(a.connected(), []);
  });
});

test("a gate that throws refuses", async () => {
  const broken: AdmissionGate = {
    ...openGate(),
    admit() {
      throw new Error("bug");
    },
  };
  await withPeers([startPeer(1, { gate: broken }), startPeer(2)], async ([a, b]) => {
    const failed = nextEvent(b, "dial-failed");
    b.keep(a.self, a.addresses());
    assert.equal((await failed).why, "denied");
  });
});

test("nobody listens: refused; another peer listens there: not refused", async () => {
  await withPeers([startPeer(1), startPeer(2)], async ([a, b]) => {
    const gone = testIdentity(9).peerId;
    const failed = nextEvent(a, "dial-failed");
    a.keep(gone, ["/ip4/127.0.0.1/tcp/1"]);
    assert.deepEqual(await failed, { t: "dial-failed", peer: gone, why: "refused" });
    a.forget(gone);
    const other = nextEvent(a, "dial-failed");
    a.keep(gone, b.listenAddresses());
    assert.equal((await other).why, "other");
  });
});

test("both dial at once: one connection, announced once on each side, and it carries", async () => {
  for (let round = 0; round < 5; round++) {
    await withPeers([startPeer(1), startPeer(2)], async ([a, b]) => {
      const events: TransportEvent[] = [];
      a.subscribe((event) => events.push(event));
      b.subscribe((event) => events.push(event));
      b.handle(echo, async (_, query) => query);
      a.handle(echo, async (_, query) => query);
      const both = Promise.all([nextEvent(a, "connected"), nextEvent(b, "connected")]);
      a.keep(b.self, b.addresses());
      b.keep(a.self, a.addresses());
      await both;
      await a.request(b.self, echo, { n: 1 }, { timeoutMs: 2_000 });
      await b.request(a.self, echo, { n: 1 }, { timeoutMs: 2_000 });
      assert.deepEqual(
        events.map(({ t }) => t),
        ["connected", "connected"],
      );
    });
  }
});

test("a peer that comes back on another port is found by the address it is kept with", async () => {
  const a = await startPeer(1);
  let b = await startPeer(2);
  try {
    const listen = [...b.listenAddresses()];
    await connected({ a, b, breakConnection: () => undefined, close: async () => undefined });
    const refused = nextEvent(a, "dial-failed");
    await b.stop();
    assert.equal((await refused).why, "refused");
    const back = nextEvent(a, "connected");
    b = await startPeer(2, { listen });
    await back;
  } finally {
    await stopAll([a, b]);
  }
});

test("connected says where the other can be dialled", async () => {
  await withPeers([startPeer(1), startPeer(2)], async ([a, b]) => {
    const inbound = nextEvent(b, "connected");
    a.keep(b.self, b.addresses());
    assert.deepEqual((await inbound).addresses, a.addresses());
  });
});

test("a small request overtakes big ones that were asked before", async () => {
  await withPeers([startPeer(1), startPeer(2)], async ([a, b]) => {
    await connected({ a, b, breakConnection: () => undefined, close: async () => undefined });
    b.handle(big, async (_, query) => ({ n: query.data.length }));
    b.handle(echo, async (_, query) => query);
    const data = new Uint8Array(3 * 1024 * 1024);
    let bigAnswered = 0;
    const bigs = [1, 2, 3, 4].map(async () => {
      await a.request(b.self, big, { data }, { timeoutMs: 10_000 });
      bigAnswered++;
    });
    await a.request(b.self, echo, { n: 1 }, { timeoutMs: 10_000 });
    assert.ok(bigAnswered <= 1, `${bigAnswered} of 4 big ones came first`);
    await Promise.all(bigs);
  });
});

test("a taken port is said so", async () => {
  await withPeers([startPeer(1)], async ([a]) => {
    const second = startPeer(2, { listen: [...a.listenAddresses()] });
    await assert.rejects(second, (error: unknown) => {
      assert.ok(isMfError(error, "LISTEN_FAILED"));
      assert.match(error.message, /the port is taken/u);
      return true;
    });
  });
});

test("a joiner talks over the join encrypter, and nothing else answers it", async () => {
  const gate: AdmissionGate = { ...openGate(), serveJoin: serveEcho };
  const issuer = await startPeer(1, { gate });
  const joiner = testIdentity(7);
  const dial = createJoinDialler({ identity: joiner, clock: systemClock, logger: silentLogger });
  try {
    const channel = await dial(issuer.self, issuer.addresses());
    assert.equal(channel.remote, issuer.self);
    await channel.send(Buffer.from("hello"));
    assert.equal(Buffer.from(await channel.receive()).toString(), `${joiner.peerId} hello`);
    await assert.rejects(channel.receive(), (error) => isMfError(error, "PEER_UNREACHABLE"));
    assert.deepEqual(issuer.connected(), []);
  } finally {
    await dial.close();
    await issuer.stop();
  }
});

test("a joiner whose issuer is not there hears that it cannot be reached", async () => {
  const identity = testIdentity(7);
  const dial = createJoinDialler({ identity, clock: systemClock, logger: silentLogger });
  try {
    const nowhere = dial(testIdentity(1).peerId, ["/ip4/127.0.0.1/tcp/1"]);
    await assert.rejects(nowhere, (error: unknown) => {
      assert.ok(isMfError(error, "PEER_UNREACHABLE"));
      assert.match(error.message, /nobody listens there/u);
      return true;
    });
    const empty = dial(testIdentity(1).peerId, ["nonsense"]);
    await assert.rejects(empty, (error) => isMfError(error, "PEER_UNREACHABLE"));
  } finally {
    await dial.close();
  }
});

test("after joining, the same peer connects as a member at once", async () => {
  const held: JoinChannel[] = [];
  const gate: AdmissionGate = {
    ...openGate(),
    serveJoin: async (channel) => {
      held.push(channel);
      await channel.receive().catch(() => undefined);
    },
  };
  const issuer = await startPeer(1, { gate });
  const dial = createJoinDialler({
    identity: testIdentity(2),
    clock: systemClock,
    logger: silentLogger,
  });
  const member = await startPeer(2);
  try {
    await dial(issuer.self, issuer.addresses());
    const here = nextEvent(issuer, "connected");
    issuer.keep(member.self, member.addresses());
    await here;
    assert.equal(held.length, 1);
  } finally {
    await dial.close();
    await stopAll([issuer, member]);
  }
});

async function serveEcho(channel: JoinChannel): Promise<void> {
  const text = Buffer.from(await channel.receive()).toString();
  await channel.send(Buffer.from(`${channel.remote} ${text}`));
}

type Started = Awaited<ReturnType<typeof startPeer>>;

async function withPeers<T extends readonly Promise<Started>[]>(
  starting: readonly [...T],
  body: (peers: { [I in keyof T]: Started }) => Promise<void>,
): Promise<void> {
  const peers = await Promise.all(starting);
  try {
    await body(peers);
  } finally {
    await stopAll(peers);
  }
}

function recording(entries: unknown[]): Logger {
  const warn = (event: string, fields?: Record<string, unknown>): void => {
    entries.push({ event, ...fields });
  };
  return { ...silentLogger, warn };
}
