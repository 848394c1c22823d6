import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import * as fc from "fast-check";
import { runText, type RunRef } from "../../src/model/ids.ts";
import { engineFixture, type EngineFixture } from "../support/engine-fixture.ts";
import { FakeStore } from "../support/fake-store.ts";
import { interpret, randomFlow, taskKey, type RandomFlow } from "../support/random-flow.ts";

const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 10, maxLength: 45 });

async function answer(
  engine: EngineFixture,
  flow: RandomFlow,
  run: RunRef,
): Promise<Map<string, unknown>> {
  const made = new Map<string, unknown>();
  for (const { name } of flow.fixture.steps) {
    const tasks: (readonly number[])[] = [];
    for (const entry of engine.store.durable.journals.get(runText(run)) ?? []) {
      if (entry.t === "tasks-succeeded")
        for (const task of entry.tasks) if (task.step === name) tasks.push(task.index);
    }
    const sorted = tasks.sort(compare);
    const outputs = await engine.outputs(run, name);
    assert.equal(outputs.length, sorted.length, `each task of ${name} has exactly one fact`);
    for (const [position, index] of sorted.entries())
      made.set(taskKey(name, index), outputs[position]);
  }
  return made;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const depth = a.findIndex((value, i) => value !== b[i]);
  return depth < 0 ? 0 : (a[depth] ?? 0) - (b[depth] ?? 0);
}

test("any flow gives the answer of a naive interpreter, runs each task once, and a rerun runs none", async () => {
  await fc.assert(
    fc.asyncProperty(choices, async (drawn) => {
      const flow = randomFlow(drawn);
      const expected = interpret(flow);
      const engine = engineFixture(flow.steps);
      const result = await engine.run(flow.fixture);
      assert.equal(result.state, "succeeded");
      assert.deepEqual(await answer(engine, flow, result.run), expected);
      assert.equal(result.tasks.total, expected.size);
      assert.ok([...engine.hosts.executed.values()].every((count) => count === 1));
      const again = await engine.run(flow.fixture);
      assert.deepEqual(again.tasks, { ...result.tasks, reused: expected.size, executed: 0 });
    }),
    { numRuns: 150 },
  );
});

test("killed at any commit and run again, a flow gives the same answer and repeats only what was not durable", async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.integer({ min: 1, max: 12 }), async (drawn, commitsUntilKill) => {
      const flow = randomFlow(drawn);
      const expected = interpret(flow);
      const killed = engineFixture(flow.steps, {
        store: new FakeStore(undefined, { commitsUntilKill }),
      });
      const handle = await killed.start(flow.fixture);
      const over = new AbortController();
      void handle.finished.then(() => over.abort());
      for (let idleTurns = 0, last = -1; idleTurns < 8 && !over.signal.aborted;) {
        await setImmediate();
        idleTurns = last === killed.store.commitCount ? idleTurns + 1 : 0;
        last = killed.store.commitCount;
      }
      const durable = [...killed.store.durable.facts.values()].filter(
        (fact) => fact.flow !== "",
      ).length;
      const engine = engineFixture(flow.steps, { store: new FakeStore(killed.store.durable) });
      const result = await engine.run(flow.fixture);
      assert.deepEqual(await answer(engine, flow, result.run), expected);
      assert.equal(result.tasks.reused, durable);
      assert.equal(engine.hosts.executedCount, expected.size - durable);
    }),
    { numRuns: 100 },
  );
});

test("losses, give-backs and failures that are retried do not change the answer", async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.nat({ max: 1_000_000 }), async (drawn, seed) => {
      const flow = randomFlow(drawn);
      let state = seed;
      const engine = engineFixture(flow.steps, {
        script: (_, spec) => {
          state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
          if (state % 7 === 0 && spec.attempt < 2) return "lost";
          return state % 5 === 0 ? "not-started" : "run";
        },
      });
      const result = await engine.run(flow.fixture);
      assert.equal(result.state, "succeeded");
      assert.deepEqual(await answer(engine, flow, result.run), interpret(flow));
    }),
    { numRuns: 60 },
  );
});
