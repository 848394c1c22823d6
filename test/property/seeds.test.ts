import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { seedOf } from "../../src/engine/run/memo-key.ts";
import { AttemptContext, type AttemptContextDeps } from "../../src/task/attempt-context.ts";
import { each, engineFixture, out, type FlowFixture } from "../support/engine-fixture.ts";
import type { FakeStep } from "../support/fake-hosts.ts";
import { runText } from "../../src/model/ids.ts";

const index = fc.array(fc.nat({ max: 20 }), { maxLength: 3 });
const name = fc.constantFrom("a", "b", "fit", "fit1", "1");
const runSeed = fc.oneof(fc.constantFrom("0", "", "1", "01"), fc.string());
const place = fc.tuple(name, name, index, runSeed);

const DEPS = {} as AttemptContextDeps;

function context(seed: string, more: { run?: string; attempt?: number } = {}): AttemptContext {
  return new AttemptContext({ run: "f/1", step: "s", index: [], attempt: 0, ...more, seed }, DEPS);
}

const draws = (ctx: AttemptContext, count = 8): number[] =>
  Array.from({ length: count }, ctx.random);

test("a task's seed depends on flow, step, index and the run's seed, and on nothing else", () => {
  fc.assert(
    fc.property(place, place, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      assert.equal(seedOf(...one) === seedOf(...other), isSame);
    }),
  );
});

test("ctx.seed and ctx.random are those of the seed: on any peer, in any run, at any attempt", () => {
  fc.assert(
    fc.property(fc.string(), fc.nat(), fc.string(), (seed, attempt, run) => {
      const here = context(seed);
      const there = context(seed, { attempt, run });
      assert.equal(there.seed, here.seed);
      assert.deepEqual(draws(there), draws(here));
    }),
  );
});

test("ctx.seed is an unsigned 32-bit number, draws lie in [0, 1) and do not repeat", () => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      const ctx = context(seed);
      assert.ok(Number.isInteger(ctx.seed) && ctx.seed >= 0 && ctx.seed < 2 ** 32);
      const drawn = draws(ctx, 100);
      assert.ok(drawn.every((value) => value >= 0 && value < 1));
      assert.ok(new Set(drawn).size > 90);
    }),
  );
});

test("other seeds draw other numbers", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { minLength: 2, maxLength: 20 }), (seeds) => {
      const drawn = seeds.map((seed) => draws(context(seed)).join(" "));
      assert.equal(new Set(drawn).size, seeds.length);
    }),
  );
});

const FAN: FlowFixture = {
  steps: [
    { name: "list" },
    { name: "draw", inputs: { x: each(out("list", "xs")) }, levels: ["draw"] },
  ],
};

function steps(elements: readonly number[]): Record<string, FakeStep> {
  return {
    list: () => ({ xs: elements }),
    draw: (_, spec) => ({ drawn: draws(context(spec.seed)) }),
  };
}

test("equal elements draw differently; another peer with another store draws the same; another --seed does not", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 2, max: 12 }), fc.string(), async (count, seed) => {
      const elements = Array.from({ length: count }, () => 7);
      const here = engineFixture(steps(elements));
      const there = engineFixture(steps(elements), { deps: { peer: "other" } });
      const first = await here.outputs((await here.run(FAN, { seed })).run, "draw");
      assert.equal(new Set(first.map((item) => JSON.stringify(item))).size, count);
      const second = await there.outputs((await there.run(FAN, { seed })).run, "draw");
      assert.deepEqual(second, first);
      const again = await here.run(FAN, { seed, noCache: true });
      assert.equal(again.tasks.executed, count + 1, runText(again.run));
      assert.deepEqual(await here.outputs(again.run, "draw"), first);
      const other = await here.run(FAN, { seed: `${seed}x` });
      assert.notDeepEqual(await here.outputs(other.run, "draw"), first);
    }),
    { numRuns: 25 },
  );
});
