import assert from "node:assert/strict";
import { test } from "node:test";
import {
  childrenOf,
  eachOutputs,
  finalSteps,
  inputRefs,
  levelsOf,
  paramsOf,
  parentsOf,
  refText,
  sourceStep,
  sourceSteps,
} from "../../../src/graph/queries.ts";
import type { ValueRef } from "../../../src/graph/flow-graph.ts";
import { sampleGraph } from "./sample-graph.ts";

const graph = sampleGraph();
const out = (step: string, ...path: string[]): ValueRef => ({ k: "out", step, path });

test("levels follow foreachs and collect()", () => {
  assert.deepEqual(levelsOf(graph, out("fit", "loss")), ["fit"]);
  assert.deepEqual(levelsOf(graph, { k: "collect", of: out("fit", "loss") }), []);
  assert.deepEqual(levelsOf(graph, { k: "switch", name: "route", path: [] }), []);
  assert.deepEqual(levelsOf(graph, { k: "param", name: "n" }), []);
});

test("sources are found through each(), collect() and switches", () => {
  assert.equal(sourceStep({ k: "collect", of: out("fit", "loss") }), "fit");
  assert.equal(sourceStep({ k: "param", name: "n" }), undefined);
  assert.deepEqual(sourceSteps(graph, { k: "switch", name: "route", path: ["r"] }), [
    "best",
    "big",
    "small",
  ]);
});

test("parents and children see inputs and the value that chooses an arm", () => {
  const step = (name: string) => graph.steps.filter((item) => item.name === name);
  assert.deepEqual(
    step("big").map((item) => parentsOf(graph, item)),
    [["best"]],
  );
  assert.deepEqual(
    step("end").map((item) => parentsOf(graph, item)),
    [["best", "big", "small"]],
  );
  assert.deepEqual(childrenOf(graph, "best"), ["big", "small", "end"]);
  assert.deepEqual(finalSteps(graph), ["end"]);
});

test("only artifacts that each() reads directly are cut into elements", () => {
  assert.deepEqual(eachOutputs(graph, "load"), ["lrs"]);
  assert.deepEqual(eachOutputs(graph, "fit"), []);
});

test("inputs have names, a whole handle the name *", () => {
  assert.deepEqual(
    graph.steps.map((step) => inputRefs(step).map((input) => input.name)),
    [["*"], ["X", "lr"], ["all"], ["w"], [], ["m"]],
  );
  assert.deepEqual(
    graph.steps.map((step) => paramsOf(graph, step)),
    [["n"], [], [], [], [], []],
  );
});

test("refs read as they were written", () => {
  assert.equal(
    refText({ k: "collect", of: { k: "each", of: out("a", "b", "c") } }),
    "collect(each(a.b.c))",
  );
  assert.equal(refText({ k: "from", pathspec: "f/latest/s/a" }), "from('f/latest/s/a')");
});
