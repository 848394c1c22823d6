import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { test } from "node:test";
import { createCatalog } from "../../../../daemon/catalog/catalog.ts";
import { LOOK_INTERVAL_MS } from "../../../../daemon/collection/collection-limits.ts";
import {
  createCollection,
  type Collection,
} from "../../../../daemon/collection/collection-service.ts";
import { openMarks, type Marks } from "../../../../daemon/marks/marks-service.ts";
import { brandedFile } from "../../../../src/artifact/file-brand.ts";
import type { Collected } from "../../../../src/client/control/daemon-side.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { PeerId, PeerState, PeerView } from "../../../../src/model/peer.ts";
import { openMemoryStore } from "../../../../src/store/memory/memory-store.ts";
import { SPARED_MS, type Store } from "../../../../src/store/ports.ts";
import type { PeerDirectory } from "../../../../src/wire/peer-directory.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createMemoryNetwork } from "../../../support/memory-network.ts";
import {
  memoKey,
  putValue,
  removeRun,
  storeFact,
  storeRun,
  valueId,
} from "../../../support/stored-runs.ts";

const idOf = (name: string): PeerId => `12D3KooW${name.repeat(12)}` as PeerId;
const NAMES = ["a", "b", "c"] as const;
type Name = (typeof NAMES)[number];

/** On the manual clock, about. */
const NOW = new ManualClock().now();

/** Marks that reach nobody by themselves: what is known is learnt by collecting. */
const UNTOLD = {
  transport: {
    self: idOf("a"),
    request: () => Promise.reject(new Error("nobody is asked")),
    handle: () => undefined,
    subscribe: () => () => undefined,
  },
  directory: {
    self: idOf("a"),
    peers: () => [],
    get: () => undefined,
    subscribe: () => () => undefined,
  },
};

interface Mesh {
  readonly clock: ManualClock;
  readonly stores: Readonly<Record<Name, Store>>;
  readonly services: Readonly<Record<Name, Collection>>;
  readonly marks: Readonly<Record<Name, Marks>>;
  setState(name: Name, state: PeerState): void;
  /** Its time passes as long as it takes. */
  collect(name: Name, isDryRun?: boolean, alsoRemoved?: string[]): Promise<Collected>;
}

async function withMesh(body: (mesh: Mesh) => Promise<void>): Promise<void> {
  const clock = new ManualClock();
  const network = createMemoryNetwork();
  const states = new Map<Name, PeerState>();
  const stores = { a: openMemoryStore(), b: openMemoryStore(), c: openMemoryStore() };
  const services: Partial<Record<Name, Collection>> = {};
  const marks = {} as Record<Name, Marks>;
  for (const name of NAMES) {
    const transport = network.transport(idOf(name));
    const directory = directoryOf(name, states);
    const mesh = {
      transport,
      directory,
      store: stores[name],
      logger: silentLogger,
      selfName: name,
    };
    createCatalog({
      ...mesh,
      exchange: { holders: async () => new Map() },
      clock: systemClock,
      live: { progress: () => undefined, cancel: () => false, subscribe: () => undefined },
      ownerOf: () => undefined,
    });
    const env = { clock, random: systemRandom };
    marks[name] = await openMarks({ ...mesh, ...env, name, ...UNTOLD });
    services[name] = createCollection({ ...mesh, ...env, marks: marks[name] });
    await transport.start();
    for (const other of NAMES) if (other !== name) transport.keep(idOf(other), []);
  }
  clock.advance(2 * SPARED_MS);
  const all = services as Record<Name, Collection>;
  try {
    await body({
      clock,
      stores,
      services: all,
      marks,
      setState: (name, state) => void states.set(name, state),
      collect(name, isDryRun = false, alsoRemoved = []) {
        const { signal } = new AbortController();
        return passing(
          clock,
          all[name].collect({ isDryRun, alsoRemoved }, () => undefined, signal),
        );
      },
    });
  } finally {
    for (const name of NAMES) {
      all[name].close();
      marks[name].stop();
      network.kill(idOf(name));
      await stores[name].close();
    }
  }
}

/** Seconds go by while something is waited for. */
async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  const done = { is: false };
  const settled = work.finally(() => (done.is = true));
  settled.catch(() => undefined);
  for (let turns = 0; !done.is && turns < 20_000; turns++) {
    await nextTurn();
    if (turns % 50 === 49) clock.advance(1000);
  }
  assert.ok(done.is, "it ends");
  return settled;
}

function directoryOf(self: Name, states: ReadonlyMap<Name, PeerState>): PeerDirectory {
  const viewOf = (name: Name): PeerView => ({
    id: idOf(name),
    isSelf: name === self,
    state: states.get(name) ?? "alive",
    addresses: [],
    profile: { name, version: "1", roles: [], labels: {}, platform: "linux", abi: "115" },
    isConnected: true,
  });
  return {
    self: idOf(self),
    peers: () => NAMES.map(viewOf),
    get: (id) => NAMES.map(viewOf).find((view) => view.id === id),
    subscribe: () => () => undefined,
  };
}

async function here(store: Store, values: readonly unknown[]): Promise<boolean[]> {
  return store.has(values.map(valueId));
}

test("every peer frees its own, and keeps what a run needs that only another peer knows", () =>
  withMesh(async ({ stores, collect }) => {
    const { a, b, c } = stores;
    // The run is c's; a holds a copy of its output, b one of nothing.
    await storeRun(c, "cccccccccc", { tasks: [{ key: "kept", output: ["kept"] }] });
    await putValue(a, ["kept"]);
    await storeRun(a, "aaaaaaaaaa", { tasks: [{ key: "gone", output: ["gone"] }] });
    await removeRun(a, "sweep/aaaaaaaaaa", NOW);
    for (const store of [b, c]) await putValue(store, ["gone"]);
    await putValue(b, ["orphan"]);
    const told: string[] = [];
    const { peers, unanswered } = await collect("a");
    for (const { peer, isComplete } of peers) told.push(`${peer} ${isComplete}`);
    assert.deepEqual([told.sort(), unanswered], [["a true", "b true", "c true"], []]);
    assert.deepEqual(await here(a, [["kept"], ["gone"]]), [true, false]);
    assert.deepEqual(await here(b, [["gone"], ["orphan"]]), [false, false]);
    assert.deepEqual(await here(c, [["kept"], ["gone"]]), [true, false]);
    assert.deepEqual(await b.areGone([{ flow: "sweep", id: "aaaaaaaaaa" as never }]), [true]);
  }));

test("while a peer is away only what removed runs name goes; it frees its part when it is back", () =>
  withMesh(async ({ stores, collect, setState, services, clock }) => {
    const { a, b, c } = stores;
    for (const store of [a, c])
      await storeRun(store, "aaaaaaaaaa", { tasks: [{ key: "gone", output: ["gone"] }] });
    await storeFact(b, { key: "gone", output: ["gone"] });
    await putValue(b, ["orphan"]);
    await removeRun(b, "sweep/aaaaaaaaaa", NOW);
    setState("c", "dead");
    const { peers, unanswered } = await collect("b");
    assert.deepEqual(unanswered, ["c"]);
    assert.ok(peers.every(({ isComplete }) => !isComplete));
    assert.deepEqual(await here(a, [["gone"]]), [false]);
    assert.deepEqual(await here(b, [["gone"], ["orphan"]]), [false, true]);
    assert.deepEqual(await b.getFacts([memoKey("gone")]), [undefined]);
    assert.deepEqual(await here(c, [["gone"]]), [true]);
    setState("c", "alive");
    assert.equal((await c.runs()).length, 1);
    await passing(clock, services.c.start());
    assert.equal((await c.runs()).length, 0, "it knows at once");
    await collect("c");
    assert.deepEqual(await here(c, [["gone"]]), [false]);
    assert.deepEqual(await here(b, [["orphan"]]), [false]);
  }));

test("a peer that left for good is not waited for", () =>
  withMesh(async ({ stores, collect, setState }) => {
    await putValue(stores.a, ["orphan"]);
    setState("c", "left");
    const { peers, unanswered } = await collect("a");
    assert.deepEqual([peers.length, unanswered], [2, []]);
    assert.deepEqual(await here(stores.a, [["orphan"]]), [false]);
  }));

test("a file stays where only another peer has the value that names it", () =>
  withMesh(async ({ stores, collect }) => {
    const { a, b } = stores;
    const { id } = await a.putBytes(Buffer.from("table"), "raw");
    const value = { table: brandedFile({ id, name: "t.csv", size: 5 }) };
    await storeRun(b, "bbbbbbbbbb", { tasks: [{ key: "kept", output: value }] });
    await collect("a");
    assert.deepEqual(await a.has([id]), [true]);
    await removeRun(b, "sweep/bbbbbbbbbb", NOW);
    await collect("b");
    assert.deepEqual(await a.has([id]), [false]);
  }));

test("some minutes after it learnt of a removal a peer collects by itself", () =>
  withMesh(async ({ stores, services, clock }) => {
    const { a, b } = stores;
    await storeRun(b, "bbbbbbbbbb", { tasks: [{ key: "gone", output: ["gone"] }] });
    await passing(clock, services.b.start());
    await removeRun(a, "sweep/bbbbbbbbbb", NOW);
    const until = clock.monotonic() + 3 * LOOK_INTERVAL_MS;
    const isFree = async (): Promise<void> => {
      while ((await here(b, [["gone"]]))[0] === true && clock.monotonic() < until) {
        clock.advance(LOOK_INTERVAL_MS / 20);
        for (let turn = 0; turn < 20; turn++) await nextTurn();
      }
    };
    await isFree();
    assert.deepEqual(await here(b, [["gone"]]), [false]);
  }));

test("what would go is counted on every peer, and nothing is taken", () =>
  withMesh(async ({ stores, collect }) => {
    const { a, b } = stores;
    for (const store of [a, b])
      await storeRun(store, "aaaaaaaaaa", { tasks: [{ key: "maybe", output: ["maybe"] }] });
    const { peers } = await collect("a", true, ["sweep/aaaaaaaaaa", "no run"]);
    const counts = new Map(peers.map(({ peer, facts }) => [peer, facts]));
    assert.deepEqual([counts.get("a"), counts.get("b"), counts.get("c")], [1, 1, 0]);
    assert.deepEqual(await here(a, [["maybe"]]), [true]);
    assert.equal((await a.runs()).length, 1);
  }));

test("nobody's run that goes on is taken for removed, whatever a mark says", () =>
  withMesh(async ({ stores, collect }) => {
    const { a, b } = stores;
    const run = { tasks: [{ key: "going", output: ["going"] }] };
    await storeRun(a, "aaaaaaaaaa", { ...run, state: "running" });
    await storeFact(b, { key: "going", output: ["going"] });
    await removeRun(b, "sweep/aaaaaaaaaa", NOW);
    await collect("b");
    assert.deepEqual(await here(a, [["going"]]), [true]);
    assert.deepEqual(await here(b, [["going"]]), [true]);
  }));

test("a removal that a collection learnt of can be taken back where it was learnt", async () => {
  await withMesh(async ({ stores, marks, collect }) => {
    const { run, text } = await storeRun(stores.a, "r1", { tasks: [] });
    await storeRun(stores.b, "r1", { tasks: [] });
    // Into the store past the service, as one that nobody was told of.
    await removeRun(stores.b, text, NOW);
    await collect("a");
    assert.deepEqual(await stores.a.areGone([run]), [true]);
    const undo = { kind: "gone", on: text, name: "", user: "ada" } as const;
    assert.equal((await marks.a.write([undo])).length, 1);
    assert.deepEqual(await stores.a.areGone([run]), [false]);
  });
});

test("a removal by a clock that is hours ahead waits until its time has come, as other marks do", async () => {
  await withMesh(async ({ stores, collect }) => {
    const { run, text } = await storeRun(stores.a, "r1", { tasks: [] });
    await removeRun(stores.b, text, NOW + 5 * 60 * 60_000);
    await collect("a");
    assert.deepEqual(await stores.a.areGone([run]), [false]);
  });
});
