import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isMfError } from "../../src/model/errors.ts";
import { runText, taskText, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry } from "../../src/model/journal.ts";
import type { RunResult } from "../../src/engine/run-api.ts";
import {
  each,
  engineFixture,
  out,
  type EngineFixture,
  type FlowFixture,
} from "../support/engine-fixture.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import { FakeHosts, type FakeHostOptions, type FakeStep } from "../support/fake-hosts.ts";
import { FakeStore, type Durable } from "../support/fake-store.ts";
import { interpret, randomFlow, taskKey } from "../support/random-flow.ts";

const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 10, maxLength: 45 });

interface Resumed {
  readonly result: RunResult;
  readonly hosts: FakeHosts;
}

async function resume(
  durable: Durable,
  steps: Readonly<Record<string, FakeStep>>,
  run: RunRef,
  options: FakeHostOptions = {},
): Promise<Resumed> {
  const hosts = new FakeHosts(steps, options);
  const engine = createEngine({
    store: new FakeStore(durable),
    hosts,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "second",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
  const handle = await engine.resume(run);
  assert.deepEqual(handle.run, run);
  return { result: await handle.finished, hosts };
}

const journalOf = (durable: Durable, run: RunRef): JournalEntry[] =>
  durable.journals.get(runText(run)) ?? [];

function journaled(entries: readonly JournalEntry[]): string[] {
  return entries.flatMap((entry) =>
    entry.t === "tasks-succeeded" ? entry.tasks.map(taskText) : [],
  );
}

async function answer(
  engine: EngineFixture,
  fixture: FlowFixture,
  run: RunRef,
): Promise<Map<string, unknown>> {
  const made = new Map<string, unknown>();
  for (const { name } of fixture.steps) {
    const indexes = journalOf(engine.store.durable, run)
      .flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks : []))
      .filter((task) => task.step === name)
      .map((task) => task.index)
      .sort((a, b) => {
        const depth = a.findIndex((value, i) => value !== b[i]);
        return depth < 0 ? 0 : (a[depth] ?? 0) - (b[depth] ?? 0);
      });
    const outputs = await engine.outputs(run, name);
    for (const [position, index] of indexes.entries())
      made.set(taskKey(name, index), outputs[position]);
  }
  return made;
}

/** Cuts the journal; drops facts made after it where `dropsFacts` (they were on the peer that died). */
function cut(durable: Durable, run: RunRef, length: number, dropsFacts: boolean): JournalEntry[] {
  const entries = journalOf(durable, run);
  const kept = entries.slice(0, length);
  durable.journals.set(runText(run), kept);
  if (!dropsFacts) return kept;
  const known = new Set(
    kept.flatMap((entry) =>
      entry.t === "tasks-succeeded" ? entry.tasks.map((task) => task.memoKey) : [],
    ),
  );
  for (const [key, fact] of durable.facts)
    if (fact.flow !== "" && !known.has(key)) durable.forget(key);
  return kept;
}

test("a run cut off at any point of its journal goes on to the same answer, the same counts, and journals nothing twice", async () => {
  await fc.assert(
    fc.asyncProperty(
      choices,
      fc.nat({ max: 1000 }),
      fc.boolean(),
      fc.boolean(),
      async (drawn, at, dropsFacts, noCache) => {
        const flow = randomFlow(drawn);
        const engine = engineFixture(flow.steps);
        const whole = await engine.run(flow.fixture, { noCache });
        const { durable } = engine.store;
        const length = 1 + (at % (journalOf(durable, whole.run).length - 1));
        const kept = journaled(cut(durable, whole.run, length, dropsFacts));
        const { result, hosts } = await resume(durable, flow.steps, whole.run);
        assert.equal(result.state, "succeeded");
        assert.deepEqual(result.tasks, whole.tasks);
        assert.deepEqual(await answer(engine, flow.fixture, whole.run), interpret(flow));
        const tasks = journaled(journalOf(durable, whole.run));
        assert.equal(new Set(tasks).size, tasks.length, "nothing is journaled twice");
        assert.equal(tasks.length, whole.tasks.total);
        assert.equal(hosts.executedCount, dropsFacts ? whole.tasks.total - kept.length : 0);
      },
    ),
    { numRuns: 150 },
  );
});

test("what a rerun took from the store stays counted as reused when another owner goes on with it", async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.nat({ max: 1000 }), async (drawn, at) => {
      const flow = randomFlow(drawn);
      let now = 1000;
      const clock = { ...systemClock, now: () => now };
      const engine = engineFixture(flow.steps, { clock });
      await engine.run(flow.fixture);
      now = 2000;
      const again = await engine.run(flow.fixture);
      const { durable } = engine.store;
      cut(durable, again.run, 1 + (at % (journalOf(durable, again.run).length - 1)), false);
      const { result, hosts } = await resume(durable, flow.steps, again.run);
      assert.deepEqual(result.tasks, again.tasks);
      assert.equal(hosts.executedCount, 0);
    }),
    { numRuns: 60 },
  );
});

const FAN: FlowFixture = {
  steps: [
    { name: "list" },
    {
      name: "fit",
      inputs: { x: each(out("list", "xs")) },
      levels: ["fit"],
      options: { retry: { times: 2, backoffMs: 0, factor: 1 } },
    },
  ],
};
const FAN_STEPS: Record<string, FakeStep> = {
  list: () => ({ xs: [1, 2, 3, 4] }),
  fit: ({ x }) => {
    if (x === 3) throw new Error("three");
    return { y: x };
  },
};

test("attempts that failed before count: a task does not get its retries again", async () => {
  const engine = engineFixture(FAN_STEPS);
  const whole = await engine.run(FAN);
  const { durable } = engine.store;
  const entries = journalOf(durable, whole.run);
  const firstFailure = entries.findIndex((entry) => entry.t === "attempt-failed");
  durable.journals.set(runText(whole.run), entries.slice(0, firstFailure + 1));
  const { result, hosts } = await resume(durable, FAN_STEPS, whole.run);
  assert.equal(result.state, "failed");
  assert.equal(hosts.executed.get("fit[2]"), 2);
  assert.equal(result.failures[0]?.attempt, 2);
});

test("a task that failed for good stays failed, and what the journal has is counted", async () => {
  const engine = engineFixture(FAN_STEPS);
  const whole = await engine.run(FAN);
  const { durable } = engine.store;
  const entries = journalOf(durable, whole.run).filter((entry) => entry.t !== "run-finished");
  durable.journals.set(runText(whole.run), entries);
  const { result, hosts } = await resume(durable, FAN_STEPS, whole.run);
  assert.equal(result.state, "failed");
  assert.equal(hosts.executedCount, 0);
  assert.equal(result.tasks.failed, 1);
  assert.equal(result.tasks.succeeded, whole.tasks.succeeded);
  const end = journalOf(durable, whole.run).at(-1);
  assert.ok(end?.t === "run-finished" && end.error?.code === "STEP_THREW");
});

test("a fact that was lost is made again and its journal entry stands", async () => {
  const steps = { ...FAN_STEPS, fit: ({ x }: Record<string, unknown>) => ({ y: x }) };
  const engine = engineFixture(steps);
  const whole = await engine.run(FAN);
  const { durable } = engine.store;
  cut(durable, whole.run, journalOf(durable, whole.run).length - 1, false);
  const lost = [...durable.facts.values()].find((fact) => fact.step === "fit");
  assert.ok(lost !== undefined);
  durable.forget(lost.memoKey);
  const { result, hosts } = await resume(durable, steps, whole.run);
  assert.deepEqual(result.tasks, whole.tasks);
  assert.equal(hosts.executedCount, 1);
  assert.ok(durable.facts.has(lost.memoKey));
  assert.equal(journaled(journalOf(durable, whole.run)).length, 5);
});

test("a run that has ended is refused, and so is one whose beginning is not here", async () => {
  const engine = engineFixture({ list: () => ({ xs: [] }) });
  const { run } = await engine.run({ steps: [{ name: "list" }] });
  const { durable } = engine.store;
  await assert.rejects(resume(durable, {}, run), (error) => isMfError(error, "RUN_ENDED"));
  durable.journals.delete(runText(run));
  await assert.rejects(resume(durable, {}, run), (error) => isMfError(error, "RUN_NOT_FOUND"));
});

test("an abandoned run starts nothing more, journals no end, and keeps the facts of what still ran", async () => {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const steps = { ...FAN_STEPS, fit: ({ x }: Record<string, unknown>) => ({ y: x }) };
  let begun: () => void = () => undefined;
  const running = new Promise<void>((resolve) => (begun = resolve));
  const engine = engineFixture(steps, {
    gate: async (batch) => {
      if (batch.step !== "fit") return;
      begun();
      await gate;
    },
  });
  const handle = await engine.start(FAN);
  await running;
  handle.abandon("b");
  open();
  await assert.rejects(handle.finished, (error) => isMfError(error, "RUN_MOVED"));
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const { durable } = engine.store;
  assert.ok([...durable.facts.values()].some((fact) => fact.step === "fit"));
  assert.deepEqual(journaled(journalOf(durable, handle.run)), ["list"]);
  assert.equal(engine.running().length, 0);
});
