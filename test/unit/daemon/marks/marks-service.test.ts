import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { COMPARE_INTERVAL_MS, MARK_AHEAD_MS_MAX } from "../../../../daemon/marks/marks-limits.ts";
import { openMarks, type Marks } from "../../../../daemon/marks/marks-service.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import type { Mark } from "../../../../src/model/mark.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import {
  compareMarks,
  exchangeMarks,
  MARK_BUCKETS,
  tellMarks,
} from "../../../../src/wire/marks-protocol.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import { FakeStore } from "../../../support/fake-store.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../../support/memory-network.ts";

const ADA = "12D3KooWada" as PeerId;
const BOB = "12D3KooWbob" as PeerId;
const RUN = "sweep/k3j9x2m4ab";
const change = { kind: "tag", on: RUN, name: "best", value: "", user: "ada" } as const;

interface Pair {
  readonly clock: ManualClock;
  readonly network: MemoryNetwork;
  readonly ada: Marks;
  readonly store: FakeStore;
  /** Of bob, who has no marks service yet. */
  readonly bob: Transport;
  readonly warnings: string[];
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function view(id: PeerId, isSelf: boolean): PeerView {
  return { id, isSelf, state: "alive", addresses: [], isConnected: true };
}

async function marksOf(
  transport: Transport,
  store: FakeStore,
  more: { readonly clock: ManualClock; readonly warnings?: string[] },
): Promise<Marks> {
  return openMarks({
    transport,
    directory: {
      self: transport.self,
      peers: () => [ADA, BOB].map((id) => view(id, id === transport.self)),
      get: () => undefined,
      subscribe: () => () => undefined,
    },
    store,
    clock: more.clock,
    random: systemRandom,
    logger: { ...silentLogger, warn: (event) => void more.warnings?.push(event) },
    name: transport.self === ADA ? "ada-pc" : "bob-pc",
  });
}

async function pair(t: TestContext): Promise<Pair> {
  const clock = new ManualClock();
  const network = createMemoryNetwork({ clock });
  const [transport, bob] = [network.transport(ADA), network.transport(BOB)];
  const store = new FakeStore();
  const warnings: string[] = [];
  const ada = await marksOf(transport, store, { clock, warnings });
  t.after(() => {
    ada.stop();
    network.kill(ADA);
    network.kill(BOB);
  });
  await transport.start();
  await bob.start();
  transport.keep(BOB, []);
  await turns();
  return { clock, network, ada, store, bob, warnings };
}

test("what is written is durable, then told at once; the writer is named with the peer", async (t) => {
  const { clock, ada, store, bob } = await pair(t);
  const theirs = new FakeStore();
  const service = await marksOf(bob, theirs, { clock });
  t.after(() => service.stop());
  const [written] = await ada.write([change]);
  assert.equal(written?.by, "ada@ada-pc");
  assert.deepEqual(await store.marks(), [written]);
  await turns();
  assert.deepEqual(await theirs.marks(), [written]);
  // The answer goes on from there.
  const { value: _value, ...off } = change;
  const [taken] = await service.write([off]);
  await turns();
  assert.deepEqual(await store.marks(), [taken]);
  assert.ok(written !== undefined && taken !== undefined && taken.at > written.at);
});

test("writes at once are one after the other", async (t) => {
  const { ada, store } = await pair(t);
  const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
  await Promise.all(names.map((name) => ada.write([{ ...change, name }])));
  await assert.rejects(
    Promise.all(names.map((name) => ada.write([{ ...change, name: `more-${name}` }]))),
    (error) => isMfError(error, "TAGS_TOO_MANY"),
  );
  assert.equal((await store.marks()).length, 50);
});

test("a mark from far ahead is taken when its time has come, and not before", async (t) => {
  const { clock, store, bob, warnings } = await pair(t);
  const at = clock.now() + 2 * MARK_AHEAD_MS_MAX;
  const { user: _user, ...mark } = change;
  const tell = (): Promise<{ taken: number }> =>
    bob.request(ADA, tellMarks, { marks: [{ ...mark, at, by: "eve" }] }, { timeoutMs: 1_000 });
  assert.equal((await tell()).taken, 0);
  assert.deepEqual(warnings, ["marks.refused"]);
  clock.advance(MARK_AHEAD_MS_MAX);
  assert.equal((await tell()).taken, 1);
  assert.equal((await tell()).taken, 0);
  assert.equal((await store.marks()).length, 1);
});

test("a peer of a version without marks is left alone, and marks are written all the same", async (t) => {
  const { ada, store, clock } = await pair(t);
  await ada.write([change]);
  clock.advance(2 * COMPARE_INTERVAL_MS);
  await turns();
  await ada.compareWith(BOB);
  assert.equal((await store.marks()).length, 1);
});

test("a comparison ends, whatever the other side answers", async (t) => {
  const { ada, bob } = await pair(t);
  await ada.write([change]);
  let asked = 0;
  let next = 0n;
  bob.handle(compareMarks, async () => ({
    buckets: Array.from({ length: MARK_BUCKETS }, (_, bucket) => bucket),
  }));
  bob.handle(tellMarks, async () => {
    throw new MfError("STORE_FULL", { home: "there" });
  });
  bob.handle(exchangeMarks, async (_from, { bucket }) => {
    asked++;
    next += 1n;
    const through = new Uint8Array(8);
    new DataView(through.buffer).setBigUint64(0, next);
    // The first one climbs for ever, the second one stands still, the others want what nobody has.
    if (bucket === 0) return { marks: [], wants: new Uint8Array(), through };
    if (bucket === 1) return { marks: [], wants: new Uint8Array(), through: new Uint8Array(8) };
    return { marks: [], wants: new Uint8Array(1024 * 8).fill(7) };
  });
  await ada.compareWith(BOB);
  assert.ok(asked > MARK_BUCKETS && asked < 6 * MARK_BUCKETS, String(asked));
});

test("hostile questions and marks are refused or passed over", async (t) => {
  const { bob, store } = await pair(t);
  const ask = (type: typeof exchangeMarks, query: object): Promise<unknown> =>
    bob.request(ADA, type, query as never, { timeoutMs: 1_000 });
  const none = new Uint8Array();
  for (const query of [
    { bucket: MARK_BUCKETS, has: none, isLast: true },
    { bucket: -1, has: none, isLast: true },
    { bucket: 0, has: new Uint8Array(17), isLast: true },
    { bucket: 0, has: none, isLast: true, after: new Uint8Array(9) },
    { bucket: 0, has: new Uint8Array(16 * 1025), isLast: true },
    {},
  ])
    await assert.rejects(ask(exchangeMarks, query), JSON.stringify(query));
  const wrong = [{ ...change, on: "sweep/1", at: 1, by: "x".repeat(300) }, 3, null, {}];
  const marks = wrong as unknown as Mark[];
  const { taken } = await bob.request(ADA, tellMarks, { marks }, { timeoutMs: 1_000 });
  assert.equal(taken, 0);
  assert.deepEqual(await store.marks(), []);
});
