/** A mesh of three in virtual time, and a flow wide enough to spread over it. */
import assert from "node:assert/strict";
import type { RunHandle, RunResult } from "../../src/engine/run-api.ts";
import { runText } from "../../src/model/ids.ts";
import { collect, constant, each, out, type FlowFixture } from "./engine-fixture.ts";
import type { FakeStep } from "./fake-hosts.ts";
import { MeshFixture, type MeshPeer } from "./mesh-fixture.ts";
import { SimulatedWorld } from "./simulation.ts";

export const TASKS = 400;

export const steps: Record<string, FakeStep> = {
  square: ({ x }) => ({ y: (x as number) ** 2 }),
  sum: ({ ys }) => ({ total: (ys as number[]).reduce((sum, y) => sum + y, 0) }),
};

export function wideFlow(count = TASKS): FlowFixture {
  const list = Array.from({ length: count }, (_, i) => i);
  return {
    steps: [
      { name: "square", inputs: { x: each(constant(list)) }, levels: ["square"] },
      { name: "sum", inputs: { ys: collect(out("square", "y")) } },
    ],
  };
}

export const TOTAL = (TASKS * (TASKS - 1) * (2 * TASKS - 1)) / 6;

export function simulated(seed: number): { world: SimulatedWorld; mesh: MeshFixture } {
  const world = new SimulatedWorld(seed);
  const mesh = new MeshFixture(steps, {
    clock: world.clock,
    random: world.random,
    turn: () => world.event("turn"),
  });
  return { world, mesh };
}

export async function ended(world: SimulatedWorld, handle: RunHandle): Promise<RunResult> {
  assert.equal(await world.runUntil(handle.finished), true);
  return handle.finished;
}

export async function started(
  world: SimulatedWorld,
  start: Promise<RunHandle>,
): Promise<RunHandle> {
  await world.runUntil(start);
  return start;
}

/** Whether what is asked is so, looked at whenever something happens. */
export async function until(world: SimulatedWorld, isSo: () => boolean): Promise<void> {
  const watch = async (): Promise<void> => {
    while (!isSo()) await world.event("watch");
  };
  await world.runUntil(watch());
}

export function ranTwice(mesh: MeshFixture): number {
  const tasks = new Map<string, number>();
  for (const { fake } of mesh.peers.values())
    for (const [task, count] of fake.executed) tasks.set(task, (tasks.get(task) ?? 0) + count);
  return [...tasks.values()].filter((count) => count > 1).length;
}

export function lostAttempts(mesh: MeshFixture, handle: RunHandle): number {
  const journal = mesh.peers.get("a")?.store.durable.journals.get(runText(handle.run)) ?? [];
  return journal.filter((entry) => entry.t === "attempt-failed" && entry.outcome === "lost").length;
}

export async function threePeers(seed: number): Promise<ReturnType<typeof simulated>> {
  const { world, mesh } = simulated(seed);
  for (const name of ["a", "b", "c"]) await mesh.add(name, { taskMs: 50 });
  return { world, mesh };
}

export function peerOf(mesh: MeshFixture, name: string): MeshPeer {
  const peer = mesh.peers.get(name);
  assert.ok(peer !== undefined);
  return peer;
}
