import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { definitionOf } from "../../../src/flow/flow-definition.ts";
import { flow } from "../../../src/flow/flow.ts";
import { p } from "../../../src/flow/params.ts";
import { collect, each, from } from "../../../src/flow/wiring.ts";
import type { FlowGraph } from "../../../src/graph/flow-graph.ts";
import type { GraphProblem } from "../../../src/graph/graph-problem.ts";
import { isMfError } from "../../../src/model/errors.ts";

const encode = (value: unknown): Uint8Array => {
  if (typeof value === "function") throw new Error("a function");
  return new TextEncoder().encode(JSON.stringify(value));
};

function graphOf(made: unknown): FlowGraph {
  const definition = definitionOf(made);
  assert.ok(definition);
  return definition.graph({ encode });
}

function problemsOf(made: unknown): GraphProblem[] {
  try {
    graphOf(made);
  } catch (error) {
    if (!isMfError(error, "GRAPH_INVALID")) throw error;
    const problems = error.details["problems"] as GraphProblem[];
    assert.equal(error.details["count"], problems.length);
    return problems;
  }
  return [];
}

const codesOf = (made: unknown): string[] => problemsOf(made).map((problem) => problem.code);

/** A flow whose calls the compiler does not check, as plain JavaScript would write it. */
interface Unchecked {
  source(text: unknown): Record<string, unknown>;
  step(name: string, ...rest: readonly unknown[]): Record<string, never>;
  python(name: string, ...rest: readonly unknown[]): Record<string, never>;
  switch(name: string, ...rest: readonly unknown[]): Record<string, never>;
  value(value: unknown): never;
  readonly params: Record<string, never>;
}
const unchecked = (name: string, params?: unknown): Unchecked =>
  flow(name, params as never) as unknown as Unchecked;

test("evaluating a flow runs no step and yields its graph", () => {
  const f = flow(
    "sweep",
    { csv: p.file("iris.csv", "data"), n: z.number().default(3) },
    { doc: "sweeps" },
  );
  const load = f.step("load", f.params, () => assert.fail("a step ran"));
  void load;
  const list = f.step("list", { n: f.params.n }, ({ n }) => ({ lrs: [n], X: new Float64Array(n) }));
  const fit = f.step(
    "fit",
    { X: list.X, lr: each(list.lrs) },
    { retry: { times: 3, backoff: "2s" }, timeout: "10m", resources: { cpu: 2, mem: "4GB" } },
    ({ lr }) => ({ lr, parts: [1, 2] }),
  );
  const cv = f.step("cv", { part: each(fit.parts), lr: fit.lr }, ({ part, lr }) => ({
    score: part * lr,
  }));
  const mean = f.step("mean", { scores: collect(cv.score), k: f.value([1]) }, ({ scores }) => ({
    mean: scores.length,
  }));
  f.step(
    "best",
    { all: collect(mean), old: from("other/latest/best.mean") },
    { catch: () => ({ none: true }) },
    ({ all }) => ({ n: all.length }),
  );
  const graph = graphOf(f);
  assert.equal(graph.doc, "sweeps");
  assert.deepEqual(graph.params, [
    { name: "csv", kind: "file", help: "data", defaultText: "iris.csv" },
    { name: "n", kind: "json", defaultText: "3" },
  ]);
  assert.deepEqual(
    graph.steps.map((step) => [step.name, step.levels]),
    [
      ["load", []],
      ["list", []],
      ["fit", ["fit"]],
      ["cv", ["fit", "cv"]],
      ["mean", ["fit"]],
      ["best", []],
    ],
  );
  assert.deepEqual(graph.steps[0]?.inputs, { whole: { k: "param", name: "*" } });
  assert.deepEqual(graph.steps[2]?.inputs, {
    fields: {
      X: { k: "out", step: "list", path: ["X"] },
      lr: { k: "each", of: { k: "out", step: "list", path: ["lrs"] } },
    },
  });
  assert.deepEqual(graph.steps[2]?.options.retry, { times: 3, backoffMs: 2000, factor: 2 });
  assert.equal(graph.steps[2]?.options.timeoutMs, 600_000);
  assert.equal(graph.steps[2]?.options.resources.memBytes, 4 * 1024 ** 3);
  assert.deepEqual(graph.steps[4]?.inputs, {
    fields: {
      scores: { k: "collect", of: { k: "out", step: "cv", path: ["score"] } },
      k: { k: "const", data: Buffer.from("[1]").toString("base64"), text: "[1]" },
    },
  });
  assert.deepEqual(graph.steps[5]?.options.hasCatch, true);
  const definition = definitionOf(f);
  assert.equal(typeof definition?.functions.get("best")?.catch, "function");
  assert.deepEqual([...(definition?.schemas.keys() ?? [])], ["csv", "n"]);
  assert.deepEqual(JSON.parse(JSON.stringify(graph)), graph, "the graph is plain data");
});

test("a switch knows its arms, and its arms' steps know it", () => {
  const f = flow("routed", { fast: p.flag() });
  const rows = f.step("rows", {}, () => ({ rows: [1, 2] }));
  const item = f.step("item", { row: each(rows.rows) }, ({ row }) => ({
    size: row > 1 ? ("big" as const) : ("small" as const),
    row,
  }));
  const route = f.switch("route", item.size, {
    big: (s) => s.step("big", { row: item.row }, ({ row }) => ({ out: row })),
    small: (s) =>
      s.switch("quick", f.params.fast, {
        true: (t) => t.step("fast", { row: item.row }, ({ row }) => ({ out: row })),
        false: (t) => t.step("slow", { row: item.row }, ({ row }) => ({ out: -row })),
      }),
  });
  f.step("end", { all: collect(route.out) }, ({ all }) => ({ n: all.length }));
  const graph = graphOf(f);
  assert.deepEqual(graph.switches[0], {
    name: "route",
    on: { k: "out", step: "item", path: ["size"] },
    levels: ["item"],
    arms: [],
    cases: {
      big: { k: "out", step: "big", path: [] },
      small: { k: "switch", name: "quick", path: [] },
    },
  });
  assert.deepEqual(graph.switches[1]?.arms, [{ switch: "route", case: "small" }]);
  const fast = graph.steps.find((step) => step.name === "fast");
  assert.deepEqual(fast?.arms, [
    { switch: "route", case: "small" },
    { switch: "quick", case: "true" },
  ]);
  assert.deepEqual(fast?.levels, ["item"]);
  assert.deepEqual(graph.steps.at(-1)?.levels, []);
});

test("a Python step carries its file, its function and the schema of its result", () => {
  const f = flow("sk");
  f.python(
    "fit",
    {},
    { file: "fit.py", fn: "fit", requires: ["scikit-learn"], out: z.object({ r2: z.number() }) },
  );
  assert.deepEqual(graphOf(f).steps[0]?.python, {
    file: "fit.py",
    fn: "fit",
    requires: ["scikit-learn"],
  });
  assert.ok(definitionOf(f)?.outSchemas.has("fit"));
});

test("looking at a handle while the graph is built is refused with the way out", () => {
  const f = flow("looked");
  const one = f.step("one", {}, () => ({ loss: 1, list: [1] }));
  const expected = {
    name: "TypeError",
    message: /one\.loss: a handle is a pointer to a value .* switch\(\)/,
  };
  assert.throws(() => `loss ${one.loss as unknown as string}`, expected);
  assert.throws(() => Number(one.loss), expected);
  assert.throws(() => [...(one.list as unknown as number[])], /one\.list: a handle is a pointer/);
  assert.throws(() => each([1, 2] as never), /each\(\) takes a handle/);
  assert.throws(() => Object.assign(one, { loss: 2 }), TypeError);
});

test("awaiting a handle yields the handle", async () => {
  const one = flow("awaited").step("one", {}, () => ({ x: 1 }));
  assert.equal(await (one as unknown as Promise<unknown>), one);
});

test("all problems are reported at once, each with its step and a remedy", () => {
  const f = unchecked("many");
  const a = f.step("a", {}, () => ({}));
  f.step("a", {}, () => ({}));
  f.step("1b", { x: 5 }, () => ({}));
  f.step("c", { all: collect(a["x"] as never) }, { timeout: "soon", colour: 1 }, () => ({}));
  f.python("d", {}, { fn: "f" });
  f.step("e", { p: f.params["nope"] }, 7);
  const problems = problemsOf(f);
  assert.deepEqual(problems.map((item) => `${item.code} ${item.step}`).sort(), [
    "COLLECT_OUTSIDE_FOREACH c",
    "INPUT_NOT_HANDLE 1b",
    "OPTION_INVALID c",
    "OPTION_INVALID c",
    "PARAM_UNKNOWN e",
    "PYTHON_OPTION_MISSING d",
    "STEP_FUNCTION_MISSING e",
    "STEP_NAME_DUPLICATE a",
    "STEP_NAME_INVALID 1b",
  ]);
  assert.ok(problems.every((item) => item.message.endsWith(".") && item.remedy.length > 10));
});

test("foreachs that are not each other's and arms that exclude each other cannot be mixed", () => {
  const f = unchecked("mixed", { kind: p.oneOf(["x", "y"]) });
  const list = f.step("list", {}, () => ({}));
  const one = f.step("one", { i: each(list["l"] as never) }, () => ({}));
  const two = f.step("two", { i: each(list["l"] as never) }, () => ({}));
  f.step("both", { a: one["v"], b: two["v"] }, () => ({}));
  let leaked: unknown;
  f.switch("s", f.params["kind"], {
    x: (s: Unchecked) => (leaked = s.step("sx", {}, () => ({}))),
    y: (s: Unchecked) => s.step("sy", { other: leaked }, () => ({})),
  });
  assert.deepEqual(codesOf(f), ["FOREACH_MIXED", "ARMS_MIXED"]);
});

test("a switch is checked against the values that are known", () => {
  const f = unchecked("cases", { kind: p.oneOf(["x", "y"]), on: p.flag() });
  const list = f.step("list", {}, () => ({}));
  const arm = (s: Unchecked): unknown => s.step(`step${count++}`, {}, () => ({}));
  let count = 0;
  f.switch("missing", f.params["kind"], { x: arm });
  f.switch("unknown", f.params["on"], { true: arm, false: arm, maybe: arm });
  f.switch("none", list["kind"], {});
  f.switch("no-handle", list["kind"], { x: () => 5 });
  f.switch("inside", list["kind"], {
    x: (s: Unchecked) => s.step("each", { i: each(list["l"] as never) }, () => ({})),
  });
  f.switch("fine", f.params["kind"], { x: arm, else: arm });
  assert.deepEqual(codesOf(f).sort(), [
    "ARM_RESULT_INSIDE_FOREACH",
    "ARM_RESULT_MISSING",
    "SWITCH_CASE_MISSING",
    "SWITCH_CASE_UNKNOWN",
    "SWITCH_EMPTY",
  ]);
});

test("each() is refused over what can never be a list", () => {
  const f = unchecked("lists", { n: p.number(1), any: p.json([]) });
  const one = f.step("one", {}, () => ({}));
  f.step("whole", { i: each(one as never) }, () => ({}));
  f.step("param", { i: each(f.params["n"] as never) }, () => ({}));
  f.step("const", { i: each(f.value("text")) }, () => ({}));
  f.step("twice", { i: each(each(one["l"] as never) as never) }, () => ({}));
  f.step("fine", { i: each(f.params["any"] as never), j: each(f.value([1])) }, () => ({}));
  assert.deepEqual(codesOf(f).sort(), [
    "EACH_MISPLACED",
    "EACH_NOT_LIST",
    "EACH_NOT_LIST",
    "EACH_NOT_LIST",
  ]);
});

test("handles of another flow, bad constants, bad versions and bad parameters are refused", () => {
  const other = unchecked("other").step("one", {}, () => ({}));
  const f = unchecked("strict", { ok: p.number(1), "bad name": p.number(1), wrong: 5 });
  f.step("foreign", { x: other["x"] }, () => ({}));
  f.step("constant", { x: f.value(() => 1) }, () => ({}));
  f.step("version", { x: from("nowhere" as never) }, () => ({}));
  assert.deepEqual(codesOf(f).sort(), [
    "FROM_INVALID",
    "INPUT_FOREIGN",
    "PARAM_NAME_INVALID",
    "PARAM_SCHEMA_INVALID",
    "VALUE_UNSTORABLE",
  ]);
});

test("sources: spelled in one way, lists where the name says so, refused where they are none", () => {
  const f = flow("sources");
  f.step("read", { csv: f.source("file:./data//iris.csv") }, async ({ csv }) => ({
    text: await csv.text(),
  }));
  f.step("each", { image: each(f.source("file:images/")) }, ({ image }) => ({ name: image.name }));
  const { steps } = graphOf(f);
  assert.deepEqual(steps[0]?.inputs, {
    fields: { csv: { k: "source", spec: "file:data/iris.csv" } },
  });
  assert.deepEqual(steps[1]?.levels, ["each"]);

  const g = unchecked("wrong");
  g.step("scheme", { x: g.source("s3://bucket/key") }, () => ({}));
  g.step("none", { x: g.source(5) }, () => ({}));
  g.step("one", { x: each(g.source("file:iris.csv") as never) }, () => ({}));
  g.step("inside", { x: g.source("file:iris.csv")["text"] }, () => ({}));
  assert.deepEqual(codesOf(g).sort(), [
    "EACH_NOT_LIST",
    "INPUT_NOT_HANDLE",
    "SOURCE_INVALID",
    "SOURCE_INVALID",
  ]);
});

test("a flow without steps is refused", () => {
  assert.deepEqual(codesOf(flow("empty")), ["FLOW_EMPTY"]);
});
