/**
 * Runs of one flow at several peers at once, on virtual time with a drawn delay of every message. Without faults each task is executed
 * once in the whole mesh; with faults (peers die, messages vanish for a while) every run of a peer that lives ends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunResult } from "../../src/engine/run-api.ts";
import { delay } from "../../src/env/clock.ts";
import type { TaskKey } from "../../src/engine/work-sharing.ts";
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  collect,
  each,
  out,
  param,
  paramValue,
  type FlowFixture,
} from "../support/engine-fixture.ts";
import { MeshFixture, signerOf, type MeshPeer } from "../support/mesh-fixture.ts";
import { SimulatedWorld } from "../support/simulation.ts";
import { ALONE_AFTER_MS, WAIT_MS_MAX } from "../../daemon/sharing/sharing-limits.ts";

const FLOW: FlowFixture = {
  params: ["size"],
  steps: [
    { name: "load", inputs: { size: param("size") } },
    { name: "fit", inputs: { x: each(out("load", "xs")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "y")) } },
  ],
};
const SIZE = 5;
const TASKS = SIZE + 2;
const STEPS = {
  load: ({ size }: Record<string, unknown>) => ({
    xs: Array.from({ length: Number(size) }, (_, i) => i),
  }),
  fit: ({ x }: Record<string, unknown>) => ({ y: Number(x) * 2 }),
  best: ({ all }: Record<string, unknown>) => ({ z: Math.max(...(all as number[])) }),
};
/** Peers are called by the ids that their keys prove: what they hand in is signed. */
const SIGNERS = ["ada", "bob", "cyd", "dan"].map(signerOf);
const NAMES: readonly string[] = SIGNERS.map(({ peerId }) => peerId);
const SPREAD_MS = 400;
const MESSAGE_MS_MAX = 8;
const CUT_MS_MAX = 30_000;
const SEEDS = Number(process.env["MF_SEEDS"] ?? 25);
const FIRST_SEED = Number(process.env["MF_SEED"] ?? 1);

interface Lab {
  readonly world: SimulatedWorld;
  readonly mesh: MeshFixture;
  readonly peers: readonly MeshPeer[];
}

async function lab(seed: number, signers = SIGNERS): Promise<Lab> {
  const world = new SimulatedWorld(seed);
  const mesh = new MeshFixture(STEPS, {
    clock: world.clock,
    random: world.random,
    turn: () => world.event("turn"),
    isSharing: true,
  });
  mesh.network.delay(() => world.draw() * MESSAGE_MS_MAX);
  const peers: MeshPeer[] = [];
  for (const signer of signers)
    peers.push(await mesh.add(signer.peerId, { signer, taskMs: 1 + world.draw() * 100 }));
  return { world, mesh, peers };
}

/** Each begins somewhere within `spreadMs`. */
function runs({ world, peers }: Lab, count: number, spreadMs: number): Promise<RunResult>[] {
  return Array.from({ length: count }, async () => {
    const peer = peers[Math.floor(world.draw() * peers.length)] as MeshPeer;
    await delay(world.clock, world.draw() * spreadMs);
    const handle = await peer.start(FLOW, { params: { size: paramValue(SIZE) } });
    return handle.finished;
  });
}

function seeds(what: string, check: (seed: number) => Promise<void>): void {
  test(`${SEEDS} seeds: ${what}`, async (context) => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        await check(seed);
      } catch (error) {
        context.diagnostic(`seed ${seed}: MF_SEED=${seed} MF_SEEDS=1`);
        throw error;
      }
    }
  });
}

const total = (mesh: MeshFixture): number =>
  Object.values(mesh.executed()).reduce((sum, count) => sum + count, 0);

seeds("without faults each task is executed once", async (seed) => {
  const here = await lab(seed);
  // Some all at once, some while others run, some when all is done.
  const spreadMs = [0, SPREAD_MS, 10 * SPREAD_MS][seed % 3] ?? 0;
  const all = Promise.all(runs(here, 12, spreadMs));
  assert.ok(await here.world.runUntil(all));
  assert.deepEqual([...new Set((await all).map(({ state }) => state))], ["succeeded"]);
  assert.equal(total(here.mesh), TASKS);
  for (const { sharing } of here.peers)
    assert.deepEqual(sharing.size, { uses: 0, held: 0, away: 0 });
  here.mesh.close();
});

seeds("whatever is lost, every run of a peer that lives ends", async (seed) => {
  const here = await lab(seed);
  const { world, mesh } = here;
  const victim = NAMES[Math.floor(world.draw() * NAMES.length)] as string;
  const ended: Promise<unknown>[] = [];
  for (const peer of here.peers) {
    if (peer.name === victim)
      void Promise.all(runs({ ...here, peers: [peer] }, 3, SPREAD_MS)).catch(() => undefined);
    else ended.push(...runs({ ...here, peers: [peer] }, 3, SPREAD_MS));
  }
  const faults = async (): Promise<void> => {
    for (let cut = 0; cut < 3; cut++) {
      const [a, b] = [...NAMES].sort(() => world.draw() - 0.5) as [string, string];
      await delay(world.clock, (world.draw() * SPREAD_MS) / 2);
      mesh.network.cut(a as PeerId, b as PeerId, { isSilent: true });
      void delay(world.clock, world.draw() * CUT_MS_MAX).then(() =>
        mesh.network.heal(a as PeerId, b as PeerId),
      );
    }
    mesh.kill(victim);
  };
  const all = Promise.all([...ended, faults()]);
  assert.ok(await world.runUntil(all));
  for (const result of (await Promise.all(ended)) as RunResult[])
    assert.equal(result.state, "succeeded");
  mesh.close();
});

test("a task that its holder never comes to is everybody's own in the end, and not before", async () => {
  const { world, mesh, peers } = await lab(FIRST_SEED, SIGNERS.slice(0, 3));
  const codes = ["c".repeat(64) as CodeId];
  const [code] = codes;
  assert.ok(code);
  const task: TaskKey = { code, memoKey: "a".repeat(64) as MemoKey };
  const [stuck, ...waiting] = peers.map(({ sharing }) => sharing.enter(codes));
  assert.ok(stuck);
  const claimed = Promise.all([stuck, ...waiting].map(({ ready }) => ready));
  assert.ok(await world.runUntil(claimed));
  const first = stuck.claim([task]);
  assert.ok(await world.runUntil(first));
  assert.deepEqual(await first, [undefined]);
  const patientMs = Promise.all(
    waiting.map(async (share) => {
      const started = world.clock.monotonic();
      for (;;) {
        const [over] = await share.claim([task]);
        if (over === undefined) return world.clock.monotonic() - started;
        await over;
      }
    }),
  );
  assert.ok(await world.runUntil(patientMs));
  for (const ms of await patientMs)
    assert.ok(ms >= ALONE_AFTER_MS && ms < ALONE_AFTER_MS + 3 * WAIT_MS_MAX, `${ms} ms`);
  for (const share of [stuck, ...waiting]) share.leave();
  for (const { sharing } of peers) assert.deepEqual(sharing.size, { uses: 0, held: 0, away: 0 });
  mesh.close();
});

test("what another peer made is brought, not made again, with what is small of it", async () => {
  const mesh = new MeshFixture(STEPS, { isSharing: true });
  const ada = await mesh.add("ada");
  const params = { size: paramValue(SIZE) };
  await (
    await ada.start(FLOW, { params })
  ).finished;
  const bob = await mesh.add("bob");
  const { tasks } = await (await bob.start(FLOW, { params })).finished;
  assert.deepEqual([tasks.executed, tasks.reused], [0, TASKS]);
  assert.equal(total(mesh), TASKS);
  const ids = [...bob.store.durable.facts.values()].flatMap(({ outputs }) =>
    Object.values(outputs).map(({ id }) => id),
  );
  assert.ok(ids.every((id) => bob.store.durable.contents.has(id)));
  // Code that nobody has run: nobody is asked.
  const before = bob.sharing.stats.asked;
  const fresh: FlowFixture = { steps: [{ name: "load", inputs: {}, code: "other" }] };
  await (
    await bob.start(fresh)
  ).finished;
  assert.equal(bob.sharing.stats.asked, before);
  mesh.close();
});

test("a run that is alone sends no message for a task, however many there are", async () => {
  const steps = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [`s${at}`, () => ({ v: at })] as const),
  );
  const chain = (length: number): FlowFixture => ({
    steps: Array.from({ length }, (_, at) => ({
      name: `s${at}`,
      inputs: at === 0 ? {} : { v: out(`s${at - 1}`, "v") },
    })),
  });
  const messages = async (length: number, isSharing: boolean): Promise<number> => {
    const mesh = new MeshFixture(steps, { isSharing });
    // One that works and one that only listens: what is sent is not a matter of who is faster.
    const ada = await mesh.add("ada");
    await mesh.add("bob", { slots: 0 });
    const before = mesh.network.deliveredCount;
    await (
      await ada.start(chain(length))
    ).finished;
    const count = mesh.network.deliveredCount - before;
    mesh.close();
    return count;
  };
  const more = async (length: number): Promise<number> =>
    (await messages(length, true)) - (await messages(length, false));
  assert.equal(await more(40), await more(5));
});
