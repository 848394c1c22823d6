import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { collect, each, engineFixture, out } from "../support/engine-fixture.ts";

test("ten thousand tasks cost the engine little, and never block the loop for long", async (context) => {
  const count = 10_000;
  const engine = engineFixture({ load: () => ({ list: [] }) }, { isBlind: false });
  const list = Array.from({ length: count }, (_, i) => i);
  const steps = {
    load: () => ({ list }),
    fan: () => ({ x: 1 }),
    end: ({ all }: Record<string, unknown>) => ({ n: (all as unknown[]).length }),
  };
  const fan = engineFixture(steps, { store: engine.store });
  const flow = {
    steps: [
      { name: "load" },
      { name: "fan", inputs: { i: each(out("load", "list")) }, levels: ["fan"] },
      { name: "end", inputs: { all: collect(out("fan", "x")) } },
    ],
  };
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const result = await fan.run(flow);
  delays.disable();
  assert.equal(result.tasks.executed, count + 2);
  assert.deepEqual(await fan.outputs(result.run, "end"), [{ n: count }]);
  assert.ok(fan.hosts.batches.length < 200, `${fan.hosts.batches.length} batches`);
  const rate = Math.round(count / (result.durationMs / 1000));
  context.diagnostic(
    `${rate} tasks/s with fake hosts in the same thread, loop delay max ${Math.round(delays.max / 1e6)} ms`,
  );
  const again = await fan.run(flow);
  assert.equal(again.tasks.reused, count + 2);
  context.diagnostic(`rerun: ${Math.round(count / (again.durationMs / 1000))} tasks/s`);
});
