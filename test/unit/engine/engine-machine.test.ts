import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { localReadSide } from "../../../src/client/control/local-read-side.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { runText } from "../../../src/model/ids.ts";
import {
  collect,
  each,
  engineFixture,
  out,
  type FlowFixture,
} from "../../support/engine-fixture.ts";

const wide: FlowFixture = {
  steps: [
    { name: "load" },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "x")) } },
  ],
};

const wideSteps = {
  load: () => ({ list: [1, 2, 3, 4, 5, 6] }),
  fit: ({ i }: Record<string, unknown>) => ({ x: i }),
  best: ({ all }: Record<string, unknown>) => ({ all }),
};

test("a step that no machine of this size can run is refused before anything runs", async () => {
  for (const [resources, need] of [
    [{ cpu: 1, gpu: 1 }, "a GPU"],
    [{ cpu: 3, gpu: 0 }, "3 cores"],
    [{ cpu: 1, gpu: 0, memBytes: 9 * 1024 ** 3 }, "9.0 GB of memory"],
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
  const engine = engineFixture(wideSteps, {
    gate: (batch) => (batch.step === "fit" ? gate : Promise.resolve()),
  });
  const handle = await engine.start(wide);
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
