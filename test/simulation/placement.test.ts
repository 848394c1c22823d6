import assert from "node:assert/strict";
import { test } from "node:test";
import { runText } from "../../src/model/ids.ts";
import { constant, each, out, type FlowFixture } from "../support/engine-fixture.ts";
import type { FakeStep } from "../support/fake-hosts.ts";
import { MeshFixture } from "../support/mesh-fixture.ts";
import {
  ended,
  lostAttempts,
  peerOf,
  ranTwice,
  simulated,
  started,
  steps,
  TASKS,
  threePeers,
  TOTAL,
  until,
  wideFlow,
} from "../support/simulated-mesh.ts";
import { SimulatedWorld } from "../support/simulation.ts";

test("a foreach spreads over all peers, and facts say who ran what", async () => {
  const { world, mesh } = simulated(1);
  const [a] = [await mesh.add("a", { taskMs: 50 })];
  await mesh.add("b", { taskMs: 50 });
  await mesh.add("c", { taskMs: 50 });
  const handle = await started(world, a.start(wideFlow()));
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  const executed = mesh.executed();
  assert.equal(
    Object.values(executed).reduce((x, y) => x + y),
    TASKS + 1,
    "nothing ran twice",
  );
  for (const count of Object.values(executed))
    assert.ok(count > TASKS / 5, JSON.stringify(executed));
  const by = new Map<string, number>();
  for (const fact of a.store.durable.facts.values())
    if (fact.flow !== "") by.set(fact.by, (by.get(fact.by) ?? 0) + 1);
  assert.deepEqual(Object.fromEntries(by), executed);
  for (const entry of a.store.durable.journals.get(runText(handle.run)) ?? [])
    if (entry.t === "tasks-succeeded")
      for (const task of entry.tasks)
        assert.equal(a.store.durable.facts.get(task.memoKey)?.by, task.by);
  assert.ok(result.durationMs < (TASKS * 50) / 6 + 1_500, `${result.durationMs} ms`);
  mesh.close();
});

test("a peer that is killed half-way costs only what it was doing", async () => {
  const { world, mesh } = await threePeers(2);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => peerOf(mesh, "b").fake.executedCount > 60);
  mesh.kill("b");
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  assert.equal(result.tasks.executed, TASKS + 1);
  assert.ok(ranTwice(mesh) <= 12, `${ranTwice(mesh)} tasks ran twice`);
  assert.ok(lostAttempts(mesh, handle) > 0, "what it held is counted as lost");
  mesh.close();
});

test("a peer that falls silent keeps its leases for a minute, then others do its work", async () => {
  const { world, mesh } = await threePeers(3);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => peerOf(mesh, "b").fake.executedCount > 40);
  mesh.network.cut(a.id, peerOf(mesh, "b").id, { isSilent: true });
  mesh.setState("b", "suspect");
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  assert.ok(result.durationMs > 55_000 && result.durationMs < 80_000, `${result.durationMs} ms`);
  mesh.close();
});

test("a link that heals in time costs nothing: the outcomes are handed in late", async () => {
  const { world, mesh } = await threePeers(4);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => peerOf(mesh, "b").fake.executedCount > 40);
  mesh.network.cut(a.id, peerOf(mesh, "b").id);
  mesh.setState("b", "suspect");
  world.clock.after(5_000, () => {
    mesh.network.heal(a.id, peerOf(mesh, "b").id);
    mesh.setState("b", "alive");
  });
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  assert.equal(lostAttempts(mesh, handle), 0);
  mesh.close();
});

test("a peer that restarts lost what it did and works again", async () => {
  const { world, mesh } = await threePeers(5);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => peerOf(mesh, "b").fake.executedCount > 40);
  mesh.kill("b", false);
  await mesh.add("b", { taskMs: 50 });
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  assert.ok(result.durationMs < 8_000, `${result.durationMs} ms`);
  assert.ok(peerOf(mesh, "b").fake.executedCount > 40, "the new process works, too");
  mesh.close();
});

test("a draining peer finishes what runs, gives back the rest and gets nothing more", async () => {
  const { world, mesh } = await threePeers(6);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  const b = peerOf(mesh, "b");
  await until(world, () => b.fake.executedCount > 40);
  await world.runUntil(b.hosts.drain());
  const then = b.fake.executedCount;
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(a, handle.run, "sum"), [TOTAL]);
  assert.equal(b.fake.executedCount, then);
  assert.equal(ranTwice(mesh), 0);
  assert.equal(lostAttempts(mesh, handle), 0);
  mesh.close();
});

test("two owners share the mesh, and neither waits for the other to end", async () => {
  const { world, mesh } = await threePeers(7);
  const handles = [
    await started(world, peerOf(mesh, "a").start(wideFlow(), { seed: "1" })),
    await started(world, peerOf(mesh, "b").start(wideFlow(), { seed: "2" })),
  ];
  const ends: number[] = [];
  for (const handle of handles) {
    const result = await ended(world, handle);
    assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
    ends.push(result.durationMs);
  }
  const least = (2 * TASKS * 50) / 6;
  assert.ok(Math.max(...ends) < 1.6 * least, `${ends.join(", ")} ms, at best ${least}`);
  assert.ok(Math.min(...ends) > 0.6 * least, `${ends.join(", ")} ms: one went first`);
  assert.equal(ranTwice(mesh), TASKS + 1, "each ran its own");
  mesh.close();
});

test("faster and larger peers get more of the work", async () => {
  const { world, mesh } = simulated(8);
  const a = await mesh.add("a", { taskMs: 50 });
  await mesh.add("b", { taskMs: 200 });
  await mesh.add("c", { taskMs: 50, slots: 4 });
  const result = await ended(world, await started(world, a.start(wideFlow())));
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  const { a: ofA = 0, b: ofB = 0, c: ofC = 0 } = mesh.executed();
  assert.ok(ofB < ofA / 2 && ofC > 1.5 * ofA, JSON.stringify(mesh.executed()));
  const least = (TASKS * 50) / 6.5;
  assert.ok(result.durationMs < 1.4 * least, `${result.durationMs} ms, at best ${least}`);
  mesh.close();
});

test("inputs that only another peer has are brought, and work prefers to go where they are", async () => {
  const large: Record<string, FakeStep> = {
    make: () => ({ big: "x".repeat(2_000_000) }),
    use: ({ big, i }) => ({ n: (big as string).length + (i as number) }),
  };
  const world = new SimulatedWorld(9);
  const mesh = new MeshFixture(large, { clock: world.clock, random: world.random });
  const a = await mesh.add("a", { taskMs: 300 });
  await mesh.add("b", { taskMs: 300, labels: { gpu: "" } });
  await mesh.add("c", { taskMs: 300 });
  const flow: FlowFixture = {
    steps: [
      { name: "make" },
      {
        name: "use",
        inputs: { big: out("make", "big"), i: each(constant([1, 2, 3, 4, 5, 6])) },
        levels: ["use"],
      },
    ],
  };
  const first = await ended(world, await started(world, a.start(flow, { labels: ["gpu"] })));
  assert.equal(first.state, "succeeded", JSON.stringify(first.failures));
  assert.deepEqual(mesh.executed(), { a: 0, b: 7, c: 0 });
  assert.equal(a.brought.length, 0, "the owner did not need the bytes");
  const second = await ended(world, await started(world, a.start(flow, { seed: "2" })));
  assert.equal(second.state, "succeeded", JSON.stringify(second.failures));
  mesh.close();
});

test("cancelling reaches attempts on every peer", async () => {
  const { world, mesh } = await threePeers(10);
  const a = peerOf(mesh, "a");
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => peerOf(mesh, "b").fake.executedCount > 20);
  handle.cancel();
  const result = await ended(world, handle);
  assert.equal(result.state, "cancelled");
  const then = mesh.executed();
  await world.runUntil(world.event("later"));
  assert.deepEqual(mesh.executed(), then);
  for (const { hosts } of mesh.peers.values())
    assert.deepEqual([hosts.load().slots.busy, hosts.load().queue], [0, 0]);
  mesh.close();
});

test("a new owner adopts what runs for the old one instead of running it again", async () => {
  const world = new SimulatedWorld(11);
  const ballots = new Map<string, number>([["b", 2]]);
  const mesh = new MeshFixture(steps, {
    clock: world.clock,
    random: world.random,
    ballotOf: (peer) => ballots.get(peer) ?? 1,
  });
  const a = await mesh.add("a", { taskMs: 5_000 });
  const b = await mesh.add("b", { taskMs: 5_000 });
  await mesh.add("c", { taskMs: 5_000, slots: 4 });
  const handle = await started(world, a.start(wideFlow(8), { seed: "s" }));
  const isBusy = (name: string): boolean => peerOf(mesh, name).hosts.load().slots.busy > 0;
  await until(world, () => isBusy("b") && isBusy("c"));
  mesh.kill("a");
  const working: { value?: Awaited<ReturnType<typeof b.hosts.whoWorks>> } = {};
  await world.runUntil(
    b.hosts.whoWorks(handle.run).then((value) => {
      working.value = value;
    }),
  );
  const keys = working.value?.flatMap(({ leases }) => leases.flatMap(({ memoKeys }) => memoKeys));
  assert.ok(keys !== undefined && keys.length > 0, "others work for the run");
  await world.runUntil(b.hosts.adopt(handle.run, working.value ?? []));
  // The run as its new owner's engine would plan it: the same tasks, in one batch.
  const outcomes = b.hosts.runBatch(
    {
      id: 1,
      run: runText(handle.run),
      step: "square",
      code: {
        kind: "script",
        codeId: "c" as never,
        slice: "",
        isStateless: true,
        externals: [],
        resolveFrom: "/",
        at: "",
      },
      attempts: keys.map((_, i) => ({ index: [i], attempt: 0, inputs: { fields: {} }, seed: "s" })),
      contents: new Map(),
      eachOutputs: [],
      scratchFile: "/none",
      logFile: "/none",
      env: {},
      memBytesMax: 1e9,
      yieldAfterMs: 200,
    },
    {
      exclusive: false,
      origin: {
        run: handle.run,
        env: "",
        tasks: keys.map((memoKey) => ({ memoKey, inputIds: {} })),
        demand: { cores: 1, memBytes: 0, gpus: 0 },
        labels: [],
      },
    },
  );
  await world.runUntil(outcomes);
  const result = await outcomes;
  assert.deepEqual(
    result.outcomes.map(({ result: end }) => end),
    keys.map(() => "succeeded"),
  );
  const by = new Set(result.outcomes.map((outcome) => outcome.by));
  assert.deepEqual(by, new Set(["b", "c"]), "the new owner had worked for the old one, too");
  assert.equal(ranTwice(mesh), 0);
  mesh.close();
});

test("an owner whose ballot is lower than another's is refused and stops", async () => {
  const world = new SimulatedWorld(12);
  const mesh = new MeshFixture(steps, {
    clock: world.clock,
    random: world.random,
    ballotOf: (peer) => (peer === "b" ? 2 : 1),
  });
  const a = await mesh.add("a", { taskMs: 50 });
  const b = await mesh.add("b", { taskMs: 50 });
  const handle = await started(world, a.start(wideFlow()));
  await until(world, () => b.fake.executedCount > 20);
  mesh.setState("a", "alive");
  await mesh.add("c", { taskMs: 50 });
  await world.runUntil(b.hosts.whoWorks(handle.run));
  const claimed = handle.finished.then(
    () => "finished",
    (error: { code?: string }) => error.code,
  );
  await world.runUntil(claimed);
  assert.equal(await claimed, "PEER_FENCED");
  mesh.close();
});

test("what no peer of the mesh has is refused before anything runs", async () => {
  const { world, mesh } = await threePeers(13);
  const flow: FlowFixture = {
    steps: [{ name: "square", options: { resources: { cpu: 3, gpu: 0 } } }],
  };
  const start = peerOf(mesh, "a").start(flow);
  await world.runUntil(start.catch(() => undefined));
  await assert.rejects(start, /no peer of the mesh has that, the most is 2/);
  const labelled = peerOf(mesh, "a").start(wideFlow(), { labels: ["gpu"] });
  await world.runUntil(labelled.catch(() => undefined));
  await assert.rejects(labelled, /a peer labelled gpu/);
  mesh.close();
});

test("a peer that joins while a run waits gets work at once", async () => {
  const world = new SimulatedWorld(14);
  const mesh = new MeshFixture(steps, { clock: world.clock, random: world.random });
  const a = await mesh.add("a", { taskMs: 10_000, slots: 1 });
  const handle = await started(world, a.start(wideFlow(8)));
  await until(world, () => a.hosts.load().slots.busy === 1);
  const b = await mesh.add("b", { taskMs: 10, slots: 4 });
  await until(world, () => b.fake.executedCount > 0);
  assert.equal(a.fake.executedCount, 0, "before the first task of the other has ended");
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  mesh.close();
});
