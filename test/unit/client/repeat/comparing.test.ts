import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  compareRuns,
  type MadeRun,
  type MadeTask,
} from "../../../../src/client/repeat/compare-runs.ts";
import { requirePackages } from "../../../../src/code/needed-packages.ts";
import { settleParams } from "../../../../src/client/repeat/settled-params.ts";
import { stepsFrom } from "../../../../src/client/repeat/steps-behind.ts";
import { valueDifference } from "../../../../src/client/repeat/value-difference.ts";
import { brandedFile } from "../../../../src/artifact/file-brand.ts";
import type { FlowGraph, ParamDeclaration } from "../../../../src/graph/flow-graph.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { Fact } from "../../../../src/model/fact.ts";
import { out, flowPackage } from "../../../support/engine-fixture.ts";

const { graph } = flowPackage({
  steps: [
    { name: "a" },
    { name: "b", inputs: { x: out("a", "x") } },
    { name: "c" },
    { name: "d", inputs: { x: out("b", "x"), y: out("c", "x") } },
  ],
});

interface Made {
  readonly key?: string;
  readonly env?: string;
  readonly index?: readonly number[];
}

function task(step: string, outputs: Readonly<Record<string, string>>, made: Made = {}): MadeTask {
  const refs = Object.entries(outputs).map(([name, id]) => [name, { id, bytes: 1, kind: "x" }]);
  const fact = {
    step,
    memoKey: made.key ?? step,
    env: made.env ?? "",
    outputs: Object.fromEntries(refs),
  } as unknown as Fact;
  return { step, index: made.index ?? [], fact };
}

const run = (
  tasks: readonly MadeTask[],
  failed: readonly (readonly [string, string])[] = [],
): MadeRun => ({
  tasks,
  failed: new Map(failed),
});

test("the first to diverge is the first whose own inputs were the same, in the order of the flow", () => {
  const before = run([
    task("d", { x: "1" }),
    task("c", { x: "1" }),
    task("b", { x: "1", y: "1" }),
    task("a", { x: "1" }),
  ]);
  const after = run([
    task("a", { x: "1" }),
    task("b", { x: "2", y: "1" }),
    task("c", { x: "2" }),
    task("d", { x: "2" }, { key: "other" }),
  ]);
  const { counts, diverged, first, findings } = compareRuns(graph, before, after);
  assert.deepEqual(counts, { identical: 2, different: 3, incomparable: 0 });
  assert.deepEqual(diverged, ["b", "c"]);
  assert.deepEqual([first?.step, first?.artifact], ["b", "x"]);
  assert.deepEqual(
    findings.map((item) => [item.step, item.isOwn]),
    [
      ["b", true],
      ["c", true],
      ["d", false],
    ],
  );
});

test("what failed, did not run, or is new is not comparable, and why is said", () => {
  const before = run([
    task("a", { x: "1", y: "1" }),
    task("b", { x: "1" }),
    { step: "c", index: [], fact: undefined },
  ]);
  const after = run([task("c", { x: "1" }), task("d", { x: "1" })], [["a", "STEP_THREW: no"]]);
  const { counts, findings } = compareRuns(graph, before, after);
  assert.deepEqual(counts, { identical: 0, different: 0, incomparable: 5 });
  assert.deepEqual(
    findings.map(({ why }) => why),
    [
      "it failed this time: STEP_THREW: no",
      "it did not run this time",
      "what the origin made is stored nowhere",
      "the origin has no such task",
    ],
  );
});

test("another environment excuses another value, and says what is other in it", () => {
  const before = run([
    task("a", { x: "1" }, { env: "python@3.11 numpy@1.26" }),
    task("b", { x: "1" }),
  ]);
  const after = run([
    task("a", { x: "2" }, { env: "python@3.12 numpy@1.26", key: "k" }),
    task("b", { x: "1" }, { env: "python@3.12", key: "k" }),
  ]);
  const { counts, first } = compareRuns(graph, before, after);
  assert.deepEqual(counts, { identical: 1, different: 0, incomparable: 1 });
  assert.equal(first?.why, "made by another environment: python@3.11 then, python@3.12 now");
});

test("a run compared with itself is identical; every artifact is counted once", () => {
  const made = fc.array(
    fc.record({
      step: fc.constantFrom("a", "b", "c", "d"),
      index: fc.array(fc.nat({ max: 3 }), { maxLength: 2 }),
      outputs: fc.dictionary(fc.constantFrom("x", "y", "z"), fc.constantFrom("1", "2")),
    }),
    { maxLength: 12 },
  );
  const unique = made.map((list) => [
    ...new Map(
      list.map(({ step, index, outputs }) => [
        `${step}${index.join()}`,
        task(step, outputs, { index }),
      ]),
    ).values(),
  ]);
  fc.assert(
    fc.property(unique, unique, (one, other) => {
      const artifacts = one.reduce(
        (sum, { fact }) => sum + Object.keys(fact?.outputs ?? {}).length,
        0,
      );
      const same = compareRuns(graph, run(one), run(one));
      assert.deepEqual(same.counts, { identical: artifacts, different: 0, incomparable: 0 });
      assert.equal(same.first, undefined);
      const there = compareRuns(graph, run(one), run(other));
      const back = compareRuns(graph, run(other), run(one));
      assert.deepEqual(there.counts, back.counts);
      const listed = there.findings.filter(({ verdict }) => verdict === "different").length;
      assert.equal(listed, there.counts.different);
    }),
  );
});

test("two values: where they differ first, and how", () => {
  const cases: readonly (readonly [unknown, unknown, string | undefined])[] = [
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, undefined],
    [{ a: ["x", { b: 2 }] }, { a: ["x", { b: 3 }] }, ".a[1].b: 2 -> 3"],
    [[1, 2, 3], [1, 5, 4], "[1]: 2 -> 5; 2 of 3 numbers differ, by at most 3"],
    [new Float64Array([1, Number.NaN]), new Float64Array([1, Number.NaN]), undefined],
    [new Float64Array([1, 2]), new Float64Array([1]), ".length: 2 -> 1"],
    [new Map([["k", 1n]]), new Map([["k", 2n]]), ".k: 1n -> 2n"],
    [{ a: 1 }, { a: 1, b: "x" }, ".b: nothing -> 'x'"],
    [{ a: 1, b: 2 }, { a: 1 }, ".b: 2 -> nothing"],
    [["x"], "x", ": [ 'x' ] -> 'x'"],
    [new Set([1]), new Set([2]), ": Set(1) { 1 } -> Set(1) { 2 }"],
    [0, -0, ": 0 -> -0"],
    [
      brandedFile({ id: "b1", name: "a.txt", size: 3 }),
      brandedFile({ id: "b2", name: "a.txt", size: 4 }),
      ": file a.txt of 3 bytes -> file a.txt of 4 bytes",
    ],
  ];
  for (const [before, after, wanted] of cases) {
    const found = valueDifference(before, after);
    const note = found?.note === undefined ? "" : `; ${found.note}`;
    const text = found && `${found.path}: ${found.before} -> ${found.after}${note}`;
    assert.equal(text, wanted);
  }
});

test("a value never differs from its copy, and a deep one is no trouble", () => {
  fc.assert(
    fc.property(fc.object({ withTypedArray: true, withMap: true, withDate: true }), (value) => {
      assert.equal(valueDifference(value, structuredClone(value)), undefined);
    }),
  );
  const undated = { map: new Map([[new Date(NaN), []]]) };
  assert.equal(valueDifference(undated, structuredClone(undated)), undefined);
  let one: unknown = 1;
  let other: unknown = 2;
  for (let depth = 0; depth < 1000; depth++) [one, other] = [{ of: one }, { of: other }];
  assert.ok(valueDifference(one, other) !== undefined);
});

test("--from: the step and what waits for it", () => {
  assert.deepEqual(stepsFrom(graph, "b"), ["b", "d"]);
  assert.deepEqual(stepsFrom(graph, "a"), ["a", "b", "d"]);
  assert.throws(
    () => stepsFrom(graph, "toString"),
    (error) => isMfError(error, "STEP_UNKNOWN"),
  );
});

test("a native package that is missing or of another version is named with what to install", () => {
  const flow = flowPackage({ steps: [{ name: "a" }] });
  const code = { ...flow.steps["a"], resolveFrom: "/flows" } as (typeof flow.steps)[string];
  const externals = ["sharp", "sqlite"].map((name) => ({ name, version: "1.2.3", integrity: "" }));
  const steps = { a: { ...code, externals } as typeof code };
  requirePackages({ steps }, () => "1.2.3");
  assert.throws(
    () => requirePackages({ steps }, (name) => (name === "sharp" ? undefined : "1.3.0")),
    (error) => {
      assert.ok(isMfError(error, "PACKAGES_MISSING"));
      assert.match(error.message, /sharp@1\.2\.3 sqlite@1\.2\.3.*no sharp, sqlite@1\.3\.0/);
      assert.match(error.remedy, /npm install --prefix \/flows sharp@1\.2\.3 sqlite@1\.2\.3/);
      return true;
    },
  );
});

const number: ParamDeclaration = { name: "n", kind: "number", defaultText: "5" };

function settle(
  [then, text]: readonly [ParamDeclaration, string],
  now: readonly ParamDeclaration[],
  given: Record<string, string> = {},
) {
  const before: FlowGraph = { ...graph, params: [then] };
  const origin = {
    summary: { run: { flow: "test", id: "abc" } },
    started: { params: { [then.name]: "b" }, paramTexts: { [then.name]: text } },
    flowPackage: { graph: before },
  } as unknown as Parameters<typeof settleParams>[0];
  return settleParams(origin, { ...graph, params: now }, given);
}

test("today's flow keeps what it can: a value somebody chose is never dropped, one of another kind never taken", () => {
  assert.deepEqual(settle([number, "7"], [number]), { kept: ["n"], dropped: [] });
  assert.deepEqual(settle([number, "5"], []), { kept: [], dropped: ["n"] });
  assert.throws(
    () => settle([number, "7"], []),
    (error) => isMfError(error, "PARAM_UNKNOWN") && error.remedy.includes("test/abc was given n=7"),
  );
  const text: ParamDeclaration = { name: "n", kind: "string" };
  assert.throws(
    () => settle([number, "7"], [text]),
    (error) => isMfError(error, "PARAM_INVALID"),
  );
  assert.deepEqual(settle([number, "7"], [text], { n: "x" }), { kept: [], dropped: [] });
  const choice = (choices: string[]): ParamDeclaration => ({ name: "n", kind: "one-of", choices });
  assert.throws(
    () => settle([choice(["a", "b"]), "b"], [choice(["a"])]),
    (error) => isMfError(error, "PARAM_INVALID") && error.message.includes("today's choices are a"),
  );
});
