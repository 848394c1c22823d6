import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { localReadSide } from "../../src/client/control/local-read-side.ts";
import { planRun } from "../../src/client/plan/plan-run.ts";
import type { RunPlan } from "../../src/client/plan/run-plan.ts";
import { Records } from "../../src/client/records.ts";
import { systemClock } from "../../src/env/clock.ts";
import { engineFixture, flowPackage, type FlowFixture } from "../support/engine-fixture.ts";
import type { FakeStore } from "../support/fake-store.ts";
import { randomFlow } from "../support/random-flow.ts";

const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 10, maxLength: 45 });

function planOf(store: FakeStore, fixture: FlowFixture): Promise<RunPlan> {
  const deps = { records: new Records(localReadSide(store)), clock: systemClock };
  const request = { params: {} };
  return planRun(deps, { flowPackage: flowPackage(fixture), request, environments: {} });
}

/** The step's code is another one; what it computes is the same. */
function withOtherCode(fixture: FlowFixture, changed: string): FlowFixture {
  return {
    ...fixture,
    steps: fixture.steps.map((step) =>
      step.name === changed ? { ...step, code: `${step.name}-2` } : step,
    ),
  };
}

test("of any flow: before a run nothing is known, after it everything, and a run does as planned", async () => {
  await fc.assert(
    fc.asyncProperty(choices, fc.nat(), async (drawn, which) => {
      const flow = randomFlow(drawn);
      const engine = engineFixture(flow.steps);
      const first = await planOf(engine.store, flow.fixture);
      assert.equal(first.tasks.reused, 0);
      assert.ok(first.steps.every(({ state }) => state === "runs" || state === "waits"));
      const { tasks } = await engine.run(flow.fixture);
      const again = await planOf(engine.store, flow.fixture);
      assert.deepEqual(again.tasks, { reused: tasks.total, runs: 0, unknown: 0 });
      assert.ok(again.isExact);

      // One step is written anew. Those behind it wait; they come to the same, so only it runs.
      const changed = flow.fixture.steps[which % flow.fixture.steps.length]?.name ?? "";
      const fixture = withOtherCode(flow.fixture, changed);
      const plan = await planOf(engine.store, fixture);
      const result = await engine.run(fixture);
      assert.equal(plan.tasks.runs, result.tasks.executed);
      assert.ok(plan.tasks.reused <= result.tasks.reused);
      for (const { name, arms, groups } of plan.steps)
        if (arms.length === 0)
          for (const { reasons } of groups)
            assert.deepEqual([name, reasons.map(({ k }) => k)], [changed, ["code"]]);
    }),
    // A list that was empty, an arm that was not chosen.
    { numRuns: 40, examples: [[[0, 0, 555, 0, 0, 0, 68, 0, 397, 0, 0, 0, 0, 0], 0]] },
  );
});
