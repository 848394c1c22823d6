import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunResult } from "../../src/engine/run-api.ts";
import { runText } from "../../src/model/ids.ts";
import { engineFixture, type EngineFixture } from "../support/engine-fixture.ts";
import { Durable } from "../support/fake-store.ts";
import { interpret, randomFlow, taskKey, type RandomFlow } from "../support/random-flow.ts";
import { SimulatedStore } from "../support/simulated-store.ts";
import { SimulatedWorld } from "../support/simulation.ts";

const SEEDS = 50;

interface History {
  readonly world: SimulatedWorld;
  readonly engine: EngineFixture;
  /** Undefined where the kill came first. */
  readonly result: RunResult | undefined;
}

function flowOf(seed: number): RandomFlow {
  const world = new SimulatedWorld(seed);
  return randomFlow(Array.from({ length: 40 }, () => Math.floor(world.draw() * 1000)));
}

async function live(flow: RandomFlow, world: SimulatedWorld, durable: Durable): Promise<History> {
  const engine = engineFixture(flow.steps, {
    store: new SimulatedStore(durable, world),
    clock: world.clock,
    gate: (batch) => world.event(`batch of ${batch.step}`),
    script: (_, spec) => {
      const drawn = world.draw();
      if (drawn < 0.05 && spec.attempt < 2) return "lost";
      return drawn < 0.15 ? "not-started" : "run";
    },
    deps: { random: world.random, turn: () => world.event("turn") },
  });
  let result: RunResult | undefined;
  const work = engine.run(flow.fixture).then((ended) => {
    result = ended;
  });
  // A broken rule of the store's checks ends the run with that error.
  if (await world.runUntil(work)) await work;
  return { world, engine, result };
}

async function answerOf({ engine }: History, flow: RandomFlow, run: RunResult): Promise<unknown> {
  const made = new Map<string, unknown>();
  const { facts, journals, contents } = engine.store.durable;
  for (const entry of journals.get(runText(run.run)) ?? []) {
    if (entry.t !== "tasks-succeeded") continue;
    for (const { step, index, memoKey } of entry.tasks)
      made.set(taskKey(step, index), facts.get(memoKey)?.outputs);
  }
  assert.ok(contents.size > 0);
  assert.equal(made.size, interpret(flow).size, "every task succeeded, and no other");
  return [...made].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Killed before event `killAt`, then run again in a new process: the digest of all that happened. */
async function killedAndRunAgain(seed: number, killAt: number, expected: unknown): Promise<string> {
  const flow = flowOf(seed);
  const durable = new Durable();
  const killed = await live(flow, new SimulatedWorld(seed, killAt), durable);
  assert.equal(killed.result, undefined, "the kill came first");
  const kept = [...durable.facts.values()].filter((fact) => fact.flow !== "").length;
  const again = await live(flow, new SimulatedWorld(seed + 1_000_003), durable);
  assert.equal(again.result?.state, "succeeded");
  assert.deepEqual(await answerOf(again, flow, again.result), expected);
  assert.equal(again.result.tasks.reused, kept, "what was durable is reused");
  assert.equal(again.engine.hosts.executedCount, again.result.tasks.total - kept);
  return `${killed.world.digest()} ${again.world.digest()}`;
}

async function undisturbed(seed: number): Promise<{ events: number; answer: unknown }> {
  const flow = flowOf(seed);
  const history = await live(flow, new SimulatedWorld(seed), new Durable());
  assert.equal(history.result?.state, "succeeded", JSON.stringify(history.result?.failures));
  return {
    events: history.world.eventCount,
    answer: await answerOf(history, flow, history.result),
  };
}

test(`${SEEDS} seeds: killed at a drawn event and run again, each history twice the same`, async (context) => {
  let events = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const whole = await undisturbed(seed);
    const killAt = Math.floor(new SimulatedWorld(seed * 31).draw() * whole.events);
    const once = await killedAndRunAgain(seed, killAt, whole.answer);
    assert.equal(await killedAndRunAgain(seed, killAt, whole.answer), once, `seed ${seed}`);
    events += whole.events;
  }
  context.diagnostic(`${events} events in ${SEEDS} undisturbed histories`);
});

test("killed at every single event of one history, the flow gives the same answer when run again", async () => {
  const seed = 7;
  const { events, answer } = await undisturbed(seed);
  for (let killAt = 0; killAt < events; killAt++) await killedAndRunAgain(seed, killAt, answer);
});
