/**
 * Histories of a mesh in which owners and keepers are killed, cut off and restarted at drawn times, in virtual time. Checked at every
 * commit: no copy of the journal has a task twice, or anything behind its end. At the end: one journal, everywhere, and the answer.
 * A seed draws the same faults again, but not the very same history: engines make log directories in real time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeValue } from "../../src/artifact/codec.ts";
import { taskText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry } from "../../src/model/journal.ts";
import { collect, each, flowPackage, out, type FlowFixture } from "../support/engine-fixture.ts";
import type { FakeStep } from "../support/fake-hosts.ts";
import { OwnershipMesh, type MeshOptions } from "../support/ownership-mesh.ts";
import { SimulatedWorld } from "../support/simulation.ts";

const SEEDS = Number(process.env["MF_OWNERSHIP_SEEDS"] ?? "25");
const COUNT = 20;
const FLOW: FlowFixture = {
  steps: [
    { name: "list" },
    { name: "fit", inputs: { x: each(out("list", "xs")) }, levels: ["fit"] },
    { name: "twice", inputs: { y: out("fit", "y") }, levels: ["fit"] },
    { name: "sum", inputs: { ys: collect(out("twice", "z")) } },
  ],
};
const STEPS: Record<string, FakeStep> = {
  list: () => ({ xs: Array.from({ length: COUNT }, (_, i) => i) }),
  fit: ({ x }) => ({ y: (x as number) + 1 }),
  twice: ({ y }) => ({ z: (y as number) * 2 }),
  sum: ({ ys }) => ({ total: (ys as number[]).reduce((a, b) => a + b, 0) }),
};
const TASKS = 2 + 2 * COUNT;
const TOTAL = COUNT * (COUNT + 1);
const NAMES = ["a", "b", "c", "d", "e"];

function checkJournal(entries: readonly JournalEntry[], where: string): void {
  const tasks = entries.flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks : []));
  const names = tasks.map(taskText);
  assert.equal(new Set(names).size, names.length, `${where}: a task stands in the journal once`);
  const end = entries.findIndex((entry) => entry.t === "run-finished");
  assert.ok(end < 0 || end === entries.length - 1, `${where}: nothing follows the end`);
  const ballots = entries.flatMap((entry) =>
    entry.t === "owner-changed" ? [entry.owner.ballot] : [],
  );
  assert.ok(
    ballots.every((ballot, i) => ballot >= (ballots[i - 1] ?? 0)),
    `${where}: ballots only grow`,
  );
}

/** Kills, cuts, heals and restarts at drawn times. */
async function disturb(mesh: OwnershipMesh, run: RunRef, draw: () => number): Promise<void> {
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(draw() * items.length)];
  const faults = 3 + Math.floor(draw() * 5);
  for (let i = 0; i < faults; i++) {
    await mesh.wait(Math.floor(draw() * 2500));
    const kind = draw();
    const alive = [...mesh.daemons.keys()];
    const dead = NAMES.filter((name) => !mesh.daemons.has(name));
    if (kind < 0.25 && alive.length > 1) mesh.kill(pick(mesh.owners(run)) ?? pick(alive) ?? "a");
    else if (kind < 0.4 && alive.length > 1) mesh.kill(pick(alive) ?? "a");
    else if (kind < 0.6 && dead.length > 0) await mesh.does(mesh.start(pick(dead) ?? "a"));
    else if (kind < 0.9) {
      const side = new Set(NAMES.filter(() => draw() < 0.5));
      for (const a of NAMES)
        for (const b of NAMES) if (a < b && side.has(a) !== side.has(b)) mesh.cut(a, b);
    } else mesh.heal();
  }
  mesh.heal();
  for (const name of NAMES) if (!mesh.daemons.has(name)) await mesh.does(mesh.start(name));
}

async function live(seed: number, options: Partial<MeshOptions> = {}): Promise<OwnershipMesh> {
  const { draw } = drawsOf(seed);
  let violation: Error | undefined;
  const mesh: OwnershipMesh = new OwnershipMesh({
    seed,
    peers: NAMES,
    steps: STEPS,
    batchMs: 300,
    committed: (name) => {
      try {
        for (const [run, entries] of mesh.disks.get(name)?.journals ?? [])
          checkJournal(entries, `seed ${seed}, ${run} on ${name}`);
      } catch (error) {
        violation ??= error as Error;
      }
    },
    ...options,
  });
  await mesh.startAll();
  const name = NAMES[Math.floor(draw() * NAMES.length)] ?? "a";
  const { ownership } = mesh.daemon(name);
  const request = { params: {}, user: "ada" };
  const { handle } = await mesh.does(ownership.submit(flowPackage(FLOW), request));
  await disturb(mesh, handle.run, draw);
  await mesh
    .until(() => violation !== undefined || mesh.isSettled(handle.run), 180_000)
    .catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${mesh.portrait(handle.run)}`, { cause: error });
    });
  if (violation !== undefined) throw violation;
  checkEnd(mesh, handle.run, seed);
  return mesh;
}

function drawsOf(seed: number): { draw: () => number } {
  const world = new SimulatedWorld(seed * 7919);
  return { draw: () => world.draw() };
}

function checkEnd(mesh: OwnershipMesh, run: RunRef, seed: number): void {
  const holders = mesh.holders(run);
  assert.ok(holders.length >= 3, `seed ${seed}: at least owner and keepers hold it`);
  for (const name of holders) {
    const entries = mesh.journal(name, run);
    const end = entries.at(-1);
    assert.equal(end?.t === "run-finished" && end.state, "succeeded", `seed ${seed}`);
    const tasks = entries.flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks : []));
    assert.equal(tasks.length, TASKS, `seed ${seed}: every task`);
    const sum = tasks.find((task) => task.step === "sum");
    const disk = mesh.disks.get(name);
    const id = disk?.facts.get(sum?.memoKey ?? ("" as never))?.outputs["total"]?.id;
    const data = disk?.contents.get(id ?? ("" as Cid));
    assert.equal(data === undefined ? undefined : decodeValue(data), TOTAL, `seed ${seed}`);
  }
}

test(`${SEEDS} seeds: whoever is killed, cut off or restarted, the run finishes with one journal`, async (context) => {
  let executed = 0;
  let owners = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const mesh = await live(seed);
    for (const daemon of mesh.daemons.values()) executed += daemon.hosts.executedCount;
    const [journal] = mesh.disks.get("a")?.journals.values() ?? [];
    owners += (journal ?? []).filter((entry) => entry.t === "owner-changed").length;
    for (const name of mesh.daemons.keys()) mesh.kill(name);
  }
  context.diagnostic(
    `${executed} attempts (in processes that lived to the end) for ${SEEDS * TASKS} tasks, ${owners} owner entries on a`,
  );
});

async function isFound(mutant: "appends-only" | "no-pulls"): Promise<boolean> {
  for (let seed = 1; seed <= 12; seed++) {
    try {
      await live(seed, { mutant });
    } catch {
      return true;
    }
  }
  return false;
}

for (const mutant of ["appends-only", "no-pulls"] as const)
  test(`the checks find the mutant ${mutant}`, async () => {
    assert.ok(await isFound(mutant));
  });
