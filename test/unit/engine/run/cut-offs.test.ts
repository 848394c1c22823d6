import assert from "node:assert/strict";
import { test } from "node:test";
import { cutOffs, type StepWork } from "../../../../src/engine/run/cut-offs.ts";
import { collect, each, flowPackage, out } from "../../../support/engine-fixture.ts";

const { graph } = flowPackage({
  steps: [
    { name: "load" },
    { name: "fit", inputs: { x: each(out("load", "xs")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "y")) } },
    { name: "plot", inputs: { z: out("best", "z") } },
    { name: "aside", inputs: { x: out("load", "unit") } },
  ],
});

const SIZES: Readonly<Record<string, number>> = { load: 1, fit: 6, best: 1, plot: 1, aside: 1 };

/** Those named were executed, the others reused. */
function told(executed: readonly string[], skipped: readonly string[] = []): [string, number][] {
  const workOf = (step: string): StepWork => {
    const total = skipped.includes(step) ? 0 : (SIZES[step] ?? 0);
    const isExecuted = executed.includes(step);
    return { total, executed: isExecuted ? total : 0, reused: isExecuted ? 0 : total };
  };
  return cutOffs(graph, workOf).map(({ step, reused }) => [step, reused]);
}

test("a step that was executed with everything behind it reused is told, with how much that is", () => {
  assert.deepEqual(told(["load"]), [["load", 9]]);
  assert.deepEqual(told(["fit"]), [["fit", 2]]);
  assert.deepEqual(told(["load", "fit"]), [["fit", 2]]);
});

test("where one reader was executed, or nothing reads it, or nothing was executed, nothing is told", () => {
  assert.deepEqual(told(["load", "aside"]), []);
  assert.deepEqual(told(["plot"]), []);
  assert.deepEqual(told([]), []);
  assert.deepEqual(told(["load", "fit", "best", "plot", "aside"]), []);
});

test("a reader that was skipped says nothing about it", () => {
  assert.deepEqual(told(["fit"], ["best", "plot"]), []);
  assert.deepEqual(told(["load"], ["aside"]), [["load", 8]]);
});
