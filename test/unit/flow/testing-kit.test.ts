import assert from "node:assert/strict";
import { test } from "node:test";
import { flow } from "../../../src/flow/flow.ts";
import { stepFunction, testContext } from "../../../src/testing/index.ts";

test("a step's function is called with inputs and a test context", async () => {
  const f = flow("unit");
  const load = f.step("load", {}, () => ({ n: 2 }));
  const twice = f.step("twice", { n: load.n }, ({ n }, ctx) => {
    ctx.log("n is", n);
    ctx.progress(0.5, "half");
    return { n: n * 2, fn: "an artifact of that name does not clash" };
  });
  const ctx = testContext({ seed: 7 });
  assert.equal((await stepFunction(twice)({ n: 21 }, ctx)).n, 42);
  assert.deepEqual(ctx.logged, [["n is", 21]]);
  assert.deepEqual(ctx.reported, [{ fraction: 0.5, note: "half" }]);
});

test("a test context draws the same numbers for the same seed", () => {
  const draw = (seed: number): number[] => {
    const ctx = testContext({ seed });
    return Array.from({ length: 3 }, () => ctx.random());
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  assert.ok(draw(3).every((value) => value >= 0 && value < 1));
});

test("abort() aborts the signal", () => {
  const ctx = testContext();
  ctx.abort();
  assert.ok(ctx.signal.aborted);
});

test("what is no step's handle has no function", () => {
  assert.throws(() => stepFunction({} as never), /takes the handle that step\(\) returned/);
});
