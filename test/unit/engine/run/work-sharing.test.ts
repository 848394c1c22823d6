import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunHandle } from "../../../../src/engine/run-api.ts";
import {
  collect,
  each,
  engineFixture,
  out,
  type FlowFixture,
} from "../../../support/engine-fixture.ts";

const FAN: FlowFixture = {
  steps: [
    { name: "load" },
    { name: "fit", inputs: { x: each(out("load", "xs")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "y")) } },
  ],
};

const FAN_STEPS = {
  load: () => ({ xs: [1, 2, 3, 4] }),
  fit: ({ x }: Record<string, unknown>) => ({ y: Number(x) * 2 }),
  best: ({ all }: Record<string, unknown>) => ({ z: Math.max(...(all as number[])) }),
};

/** Resolves when `count` batches of a step wait, and lets them all go on. */
function gate(): { readonly wait: () => Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait: () => isOpen, open };
}

const ended = (handles: readonly RunHandle[]) =>
  Promise.all(handles.map((handle) => handle.finished));

test("a hundred runs of one flow at once execute each task once", async () => {
  const engine = engineFixture(FAN_STEPS);
  const handles = await Promise.all(Array.from({ length: 100 }, () => engine.start(FAN)));
  const results = await ended(handles);
  assert.deepEqual([...new Set(results.map(({ state }) => state))], ["succeeded"]);
  assert.equal(engine.hosts.executedCount, 6);
  const counts = results.map(({ tasks }) => tasks);
  assert.equal(
    counts.reduce((sum, { executed }) => sum + executed, 0),
    6,
  );
  assert.equal(
    counts.reduce((sum, { reused }) => sum + reused, 0),
    594,
  );
});

test("who waits takes over when the run that executes is cancelled", async () => {
  const first = gate();
  let isFirst = true;
  const engine = engineFixture(
    { only: () => ({ x: 1 }) },
    {
      gate: (_, { signal }) => {
        if (!isFirst) return Promise.resolve();
        isFirst = false;
        return Promise.race([
          first.wait(),
          new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve())),
        ]);
      },
    },
  );
  const flow: FlowFixture = { steps: [{ name: "only" }] };
  const one = await engine.start(flow);
  const other = await engine.start(flow);
  one.cancel();
  assert.equal((await one.finished).state, "cancelled");
  assert.equal((await other.finished).state, "succeeded");
  assert.deepEqual((await other.finished).tasks.executed, 1);
});

test("a step that fails is tried by each run, one after another", async () => {
  let tries = 0;
  const engine = engineFixture({
    only: () => {
      tries++;
      throw new Error("no");
    },
  });
  const flow: FlowFixture = { steps: [{ name: "only" }] };
  const handles = await Promise.all(Array.from({ length: 5 }, () => engine.start(flow)));
  const results = await ended(handles);
  assert.deepEqual([...new Set(results.map(({ state }) => state))], ["failed"]);
  assert.equal(tries, 5);
  assert.equal(engine.hosts.runningMax, 1);
});

for (const [what, request, options] of [
  ["with noCache", { noCache: true }, {}],
  ["of a step in rerun", { rerun: ["only"] }, {}],
  ["of a step with cache: false", {}, { cache: { enabled: false } }],
  ["that are held back to few workers", { maxWorkers: 1 }, {}],
] as const)
  test(`runs ${what} do not wait for each other`, async () => {
    const both = gate();
    let waiting = 0;
    const engine = engineFixture(
      { only: () => ({ x: 1 }) },
      {
        gate: () => {
          if (++waiting === 2) both.open();
          return both.wait();
        },
      },
    );
    const flow: FlowFixture = { steps: [{ name: "only", options }] };
    await ended([await engine.start(flow, request), await engine.start(flow, request)]);
    assert.equal(engine.hosts.executedCount, 2);
  });

test("a step run again that comes to the same lets everything behind it be reused", async () => {
  const engine = engineFixture(FAN_STEPS);
  await engine.run(FAN);
  const { tasks } = await engine.run(FAN, { rerun: ["load"] });
  assert.deepEqual([tasks.executed, tasks.reused], [1, 5]);
  const again = await engine.run(FAN, { rerun: ["fit"] });
  assert.deepEqual([again.tasks.executed, again.tasks.reused], [4, 2]);
});

test("a fact older than the step's ttl does not count, a younger one does; another salt is another task", async () => {
  let now = 1_000_000;
  const clock = {
    now: () => now,
    monotonic: () => now,
    after: () => () => undefined,
  };
  const engine = engineFixture({ only: () => ({ x: 1 }) }, { clock });
  const flow = (salt?: string): FlowFixture => ({
    steps: [
      {
        name: "only",
        options: {
          cache: { enabled: true, ttlMs: 1000, ...(salt === undefined ? {} : { salt }) },
        },
      },
    ],
  });
  const executed = async (salt?: string) => (await engine.run(flow(salt))).tasks.executed;
  assert.equal(await executed(), 1);
  now += 1000;
  assert.equal(await executed(), 0);
  now += 1;
  assert.equal(await executed(), 1);
  assert.equal(await executed("b"), 1);
  assert.equal(await executed("b"), 0);
});
