import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { localReadSide } from "../../../src/client/control/local-read-side.ts";
import type { RunEvent } from "../../../src/engine/run-api.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { runText } from "../../../src/model/ids.ts";
import {
  collect,
  constant,
  each,
  engineFixture,
  out,
  param,
  paramValue,
  type FlowFixture,
} from "../../support/engine-fixture.ts";
import { FakeStore } from "../../support/fake-store.ts";

const sweep: FlowFixture = {
  steps: [
    { name: "load" },
    {
      name: "fit",
      inputs: { lr: each(out("load", "lrs")), depth: each(out("load", "depths")) },
      levels: ["fit"],
    },
    { name: "best", inputs: { all: collect(out("fit", "loss")) } },
  ],
};

const sweepSteps = {
  load: () => ({ lrs: [1, 2, 3], depths: [10, 20] }),
  fit: ({ lr, depth }: Record<string, unknown>) => ({
    loss: (lr as number) * 100 + (depth as number),
  }),
  best: ({ all }: Record<string, unknown>) => ({ all }),
};

test("several each() make a row-major product, and collect keeps its order", async () => {
  const engine = engineFixture(sweepSteps);
  const result = await engine.run(sweep);
  assert.equal(result.state, "succeeded");
  assert.deepEqual(result.tasks, { total: 8, succeeded: 8, failed: 0, reused: 0, executed: 8 });
  assert.deepEqual(await engine.outputs(result.run, "best"), [
    { all: [110, 120, 210, 220, 310, 320] },
  ]);
});

test("a second run of the same flow executes nothing", async () => {
  const engine = engineFixture(sweepSteps);
  await engine.run(sweep);
  const executed = engine.hosts.executedCount;
  const result = await engine.run(sweep);
  assert.deepEqual(result.tasks, { total: 8, succeeded: 8, failed: 0, reused: 8, executed: 0 });
  assert.equal(engine.hosts.executedCount, executed);
  assert.equal(engine.hosts.splitCount, 0);
});

test("noCache executes everything again", async () => {
  const engine = engineFixture(sweepSteps);
  await engine.run(sweep);
  assert.equal((await engine.run(sweep, { noCache: true })).tasks.executed, 8);
});

test("cache.enabled false and an expired ttl execute again, only there", async () => {
  const off: FlowFixture = {
    steps: [{ name: "load", options: { cache: { enabled: false } } }, ...sweep.steps.slice(1)],
  };
  const engine = engineFixture(sweepSteps);
  await engine.run(off);
  assert.deepEqual((await engine.run(off)).tasks.executed, 1);
  const old: FlowFixture = {
    steps: [
      { name: "load", options: { cache: { enabled: true, ttlMs: -1 } } },
      ...sweep.steps.slice(1),
    ],
  };
  assert.deepEqual((await engine.run(old)).tasks.executed, 1);
});

test("a fact whose content is gone is not used", async () => {
  const engine = engineFixture(sweepSteps);
  const first = await engine.run(sweep);
  const [fact] = [...engine.store.durable.facts.values()].filter((item) => item.step === "best");
  engine.store.durable.contents.delete(fact?.outputs["all"]?.id as never);
  const second = await engine.run(sweep);
  assert.equal(first.tasks.executed, 8);
  assert.equal(second.tasks.executed, 1);
});

test("an empty list opens no task and collects to an empty list", async () => {
  const engine = engineFixture({ ...sweepSteps, load: () => ({ lrs: [], depths: [1] }) });
  const result = await engine.run(sweep);
  assert.equal(result.tasks.total, 2);
  assert.deepEqual(await engine.outputs(result.run, "best"), [{ all: [] }]);
});

test("nested foreachs index by path, and inner collects stay inside", async () => {
  const flow: FlowFixture = {
    steps: [
      { name: "top" },
      { name: "a", inputs: { n: each(out("top", "list")) }, levels: ["a"] },
      { name: "b", inputs: { m: each(out("a", "list")), n: out("a", "n") }, levels: ["a", "b"] },
      { name: "inner", inputs: { all: collect(out("b", "v")) }, levels: ["a"] },
      {
        name: "outer",
        inputs: { all: collect(out("inner", "all")), deep: collect(collect(out("b", "v"))) },
      },
    ],
  };
  const engine = engineFixture({
    top: () => ({ list: [2, 0, 3] }),
    a: ({ n }) => ({ n, list: Array.from({ length: n as number }, (_, i) => i) }),
    b: ({ n, m }) => ({ v: (n as number) * 10 + (m as number) }),
    inner: ({ all }) => ({ all }),
    outer: (inputs) => inputs,
  });
  const result = await engine.run(flow);
  const lists = [[20, 21], [], [30, 31, 32]];
  assert.deepEqual(await engine.outputs(result.run, "outer"), [{ all: lists, deep: lists }]);
  assert.equal(result.tasks.total, 1 + 3 + 5 + 3 + 1);
});

test("a switch runs one arm, skips the other, and its value is the chosen arm's", async () => {
  const flow: FlowFixture = {
    params: ["kind"],
    steps: [
      { name: "small", inputs: { k: param("kind") }, arms: [{ switch: "pick", case: "a" }] },
      { name: "large", inputs: { k: param("kind") }, arms: [{ switch: "pick", case: "else" }] },
      { name: "after", inputs: { v: { k: "switch", name: "pick", path: ["v"] }, c: constant(7) } },
    ],
    switches: [
      {
        name: "pick",
        on: param("kind"),
        levels: [],
        arms: [],
        cases: { a: out("small"), else: out("large") },
      },
    ],
  };
  const engine = engineFixture({
    small: () => ({ v: "small" }),
    large: ({ k }) => ({ v: `large ${String(k)}` }),
    after: (inputs) => inputs,
  });
  const one = await engine.run(flow, { params: { kind: paramValue("a") } });
  assert.deepEqual(await engine.outputs(one.run, "after"), [{ v: "small", c: 7 }]);
  assert.equal(one.tasks.total, 2);
  const two = await engine.run(flow, { params: { kind: paramValue("z") } });
  assert.deepEqual(await engine.outputs(two.run, "after"), [{ v: "large z", c: 7 }]);
});

test("whole handles and all parameters arrive as objects, and each() reads parameters, paths and constants", async () => {
  const flow: FlowFixture = {
    params: ["n"],
    steps: [
      { name: "first", whole: param("*") },
      { name: "second", whole: out("first") },
      {
        name: "over",
        inputs: {
          a: each(param("n")),
          b: each(out("first", "deep", "list")),
          c: each(constant([5])),
        },
        levels: ["over"],
      },
      { name: "end", inputs: { all: collect(out("over")) } },
    ],
  };
  const engine = engineFixture({
    first: ({ n }) => ({ n, deep: { list: ["x"] } }),
    second: (inputs) => inputs,
    over: (inputs) => inputs,
    end: (inputs) => inputs,
  });
  const request = { params: { n: paramValue([1, 2]) } };
  const result = await engine.run(flow, request);
  assert.deepEqual(await engine.outputs(result.run, "second"), [
    { n: [1, 2], deep: { list: ["x"] } },
  ]);
  assert.deepEqual(await engine.outputs(result.run, "end"), [
    {
      all: [
        { a: 1, b: "x", c: 5 },
        { a: 2, b: "x", c: 5 },
      ],
    },
  ]);
  assert.equal(engine.hosts.splitCount, 3);
  await engine.run(flow, request);
  assert.equal(engine.hosts.splitCount, 3, "a rerun remembers the elements");
});

test("a failed attempt is retried after its backoff and then succeeds", async () => {
  let tries = 0;
  const engine = engineFixture({
    a: () => {
      tries++;
      if (tries < 3) throw new Error("not yet");
      return { v: tries };
    },
  });
  const flow: FlowFixture = {
    steps: [{ name: "a", options: { retry: { times: 2, backoffMs: 1, factor: 2 } } }],
  };
  const events: RunEvent[] = [];
  const handle = await engine.start(flow);
  handle.subscribe((event) => events.push(event));
  const result = await handle.finished;
  assert.equal(result.state, "succeeded");
  assert.deepEqual(
    events.flatMap((event) => (event.t === "attempt-failed" ? event.retryInMs : [])),
    [1, 2],
  );
});

test("after a final failure nothing new starts, and the run has failed", async () => {
  const engine = engineFixture({
    a: () => ({ list: [0, 1, 2, 3] }),
    b: ({ i }) => {
      if (i === 0) throw new Error("broken");
      return { i };
    },
    c: () => ({}),
  });
  const result = await engine.run({
    steps: [
      { name: "a" },
      { name: "b", inputs: { i: each(out("a", "list")) }, levels: ["b"] },
      { name: "c", inputs: { all: collect(out("b", "i")) } },
    ],
  });
  assert.equal(result.state, "failed");
  assert.equal(result.tasks.failed, 1);
  assert.equal(result.failures[0]?.error.details["message"], "broken");
  assert.equal(engine.hosts.executed.has("c"), false);
});

test("catch turns a final failure into the handler's value", async () => {
  const engine = engineFixture({
    a: (_, spec) => {
      if (spec.catching === undefined) throw new Error("broken");
      return { v: spec.catching.details["message"] };
    },
  });
  const result = await engine.run({ steps: [{ name: "a", options: { hasCatch: true } }] });
  assert.equal(result.state, "succeeded");
  assert.deepEqual(await engine.outputs(result.run, "a"), [{ v: "broken" }]);
});

test("a lost attempt is tried again alone without counting, three times at most", async () => {
  const once = engineFixture(
    { a: () => ({ v: 1 }) },
    { script: (_, spec, options) => (spec.attempt === 0 && !options.exclusive ? "lost" : "run") },
  );
  assert.equal((await once.run({ steps: [{ name: "a" }] })).state, "succeeded");
  assert.deepEqual(
    once.hosts.batches.map((batch) => batch.exclusive),
    [false, true],
  );
  const always = engineFixture({ a: () => ({ v: 1 }) }, { script: () => "lost" });
  assert.equal((await always.run({ steps: [{ name: "a" }] })).state, "failed");
  assert.equal(always.hosts.batches.length, 3);
});

test("an output that was not returned fails its reader by name", async () => {
  const engine = engineFixture({ a: () => ({ v: 1 }), b: () => ({}) });
  const result = await engine.run({
    steps: [{ name: "a" }, { name: "b", inputs: { x: out("a", "w") } }],
  });
  assert.equal(result.state, "failed");
  assert.equal(result.failures[0]?.error.code, "INPUT_MISSING");
  assert.equal(result.tasks.total, 2);
});

test("each() over what is no list, and too many tasks, fail the step", async () => {
  const engine = engineFixture({ ...sweepSteps, load: () => ({ lrs: 5, depths: [1] }) });
  assert.equal((await engine.run(sweep)).failures[0]?.error.code, "EACH_NOT_LIST");
  const many = engineFixture(sweepSteps);
  assert.equal((await many.run(sweep, { maxTasks: 5 })).failures[0]?.error.code, "TASKS_TOO_MANY");
});

test("cancel keeps what is done and ends the run as cancelled", async () => {
  const engine = engineFixture(
    { a: () => ({ v: 1 }), b: () => ({ v: 2 }) },
    {
      gate: (batch, { signal }) =>
        batch.step === "a"
          ? Promise.resolve()
          : new Promise((resolve) => signal?.addEventListener("abort", () => resolve())),
    },
  );
  const handle = await engine.start({
    steps: [{ name: "a" }, { name: "b", inputs: { v: out("a", "v") } }],
  });
  handle.subscribe((event) => {
    if (event.t === "step-started" && event.step === "b") setImmediate(() => handle.cancel());
  });
  const result = await handle.finished;
  assert.equal(result.state, "cancelled");
  assert.equal(result.tasks.succeeded, 1);
});

test("a full disk ends the run with its code, and what was acknowledged is reused", async () => {
  const full = engineFixture(sweepSteps, {
    store: new FakeStore(undefined, { commitsUntilFull: 2 }),
  });
  const handle = await full.start(sweep);
  await assert.rejects(handle.finished, (error) => isMfError(error, "STORE_FULL"));
  const again = engineFixture(sweepSteps, { store: new FakeStore(full.store.durable) });
  const result = await again.run(sweep);
  assert.equal(result.state, "succeeded");
  assert.ok(result.tasks.reused > 0);
});

test("small outputs reach children without being read from the store", async () => {
  const engine = engineFixture(sweepSteps);
  await engine.run(sweep);
  assert.equal(engine.store.locateCount, 0);
});

test("concurrency and declared cores bound what runs at once", async () => {
  const steps = { load: () => ({ list: Array.from({ length: 12 }, (_, i) => i) }), b: () => ({}) };
  const flow = (options: object): FlowFixture => ({
    steps: [
      { name: "load" },
      { name: "b", inputs: { i: each(out("load", "list")) }, levels: ["b"], options },
    ],
  });
  const one = engineFixture(steps);
  await one.run(flow({ concurrency: 1 }));
  assert.equal(one.hosts.runningMax, 1);
  const big = engineFixture(steps);
  await big.run(flow({ resources: { cpu: 2, gpu: 0 } }));
  assert.equal(big.hosts.runningMax, 1);
  const both = engineFixture(steps);
  await both.run(flow({}));
  assert.equal(both.hosts.runningMax, 2);
});

test("from() reads the newest succeeded run of another flow", async () => {
  const engine = engineFixture({ a: () => ({ v: { w: [4, 5] } }), b: ({ x }) => ({ x }) });
  const made = await engine.run({ name: "other", steps: [{ name: "a" }] });
  const result = await engine.run({
    steps: [
      {
        name: "b",
        inputs: { x: each({ k: "from", pathspec: "other/latest/a.v.w" }) },
        levels: ["b"],
      },
    ],
  });
  assert.equal(made.state, "succeeded");
  assert.deepEqual(await engine.outputs(result.run, "b"), [{ x: 4 }, { x: 5 }]);
});

test("a step that no machine of this size can run is refused before anything runs", async () => {
  for (const [resources, need] of [
    [{ cpu: 1, gpu: 1 }, "a GPU"],
    [{ cpu: 3, gpu: 0 }, "3 cores"],
    [{ cpu: 1, gpu: 0, memBytes: 9e9 }, "9.0 GB of memory"],
  ] as const) {
    const engine = engineFixture({ a: () => ({ x: 1 }), b: () => ({ x: 1 }) });
    const flow: FlowFixture = {
      steps: [{ name: "a" }, { name: "b", inputs: { x: out("a", "x") }, options: { resources } }],
    };
    await assert.rejects(
      engine.run(flow),
      (error) =>
        isMfError(error, "RESOURCES_UNMET") &&
        error.details["need"] === need &&
        error.details["step"] === "b",
    );
    assert.deepEqual([engine.hosts.executedCount, engine.store.durable.runs.size], [0, 0]);
  }
});

test("a run that goes on is listed with its real totals, and leaves the list when it ends", async () => {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const engine = engineFixture(sweepSteps, {
    gate: (batch) => (batch.step === "fit" ? gate : Promise.resolve()),
  });
  const handle = await engine.start(sweep);
  while (handle.progress().steps[1]?.running === 0) await turn();
  assert.deepEqual(engine.running(), [handle]);
  const readSide = localReadSide(engine.store, () => engine.running()[0]?.progress());
  const status = await readSide.status(runText(handle.run));
  assert.deepEqual(
    status.steps.map(({ name, state, tasks }) => [name, state, tasks.total]),
    [
      ["load", "succeeded", 1],
      ["fit", "running", 6],
      ["best", "waiting", 1],
    ],
  );
  assert.ok((status.steps[1]?.tasks.running ?? 0) > 0);
  open();
  await handle.finished;
  assert.deepEqual(engine.running(), []);
});
