import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { LoadedFlow } from "../../../src/code/load-flow.ts";
import { isMfError, type MfError } from "../../../src/model/errors.ts";
import { loadFiles, load, oneStep, runStep, writeFiles, writeFlow } from "./flow-files.ts";
import { dirname } from "node:path";

const FLOW = `import { flow, p } from "meshflow";
import { scale } from "./lib.ts";
const RATE = 0.5;
const NAME = "x";
const sweep = flow("sweep", { folds: p.number(5) });
const load = sweep.step("load", sweep.params, async () => ({ name: NAME, xs: [1, 2, 3] }));
const fit = sweep.step("fit", { xs: load }, { retry: 1 }, ({ xs }: { xs: number[] }) => {
  return { loss: xs.reduce((sum, x) => sum + scale(x) * RATE, 0) };
});
sweep.step("mean", { fit }, ({ all }: { all: number[] }) => ({ mean: all.reduce((a, b) => a + b, 0) / all.length }));
export default sweep;
`;
const FILES = {
  "flow.ts": FLOW,
  "lib.ts": `import { FACTOR } from "./deep.ts";\nexport const scale = (x: number) => x * FACTOR;\nexport const other = (x: number) => x + 1;\n`,
  "deep.ts": `export const FACTOR = 2;\n`,
};

type Edit = readonly [
  what: string,
  file: keyof typeof FILES,
  from: string,
  to: string,
  changed: readonly string[],
];
const EDITS: readonly Edit[] = [
  ["a comment", "flow.ts", "const RATE", "// the rate\n/* more */ const RATE", []],
  [
    "a comment inside a step",
    "flow.ts",
    "return { loss",
    "// here\n  return /* there */ { loss",
    [],
  ],
  [
    "formatting",
    "flow.ts",
    "{ loss: xs.reduce((sum, x) => sum + scale(x) * RATE, 0) }",
    "{\n\n  loss:\n xs.reduce((sum,x)=>\n{ return sum + scale(x)*RATE }, 0) }".replace(
      "{ return sum + scale(x)*RATE }",
      "sum+scale(x)*RATE",
    ),
    [],
  ],
  ["types", "flow.ts", "({ all }: { all: number[] })", "({ all }: { all: readonly number[] })", []],
  [
    "an unused helper",
    "lib.ts",
    "export const other",
    "export const scale2 = (x: number) => x;\nexport const other",
    [],
  ],
  [
    "the order of unrelated code",
    "flow.ts",
    `const RATE = 0.5;\nconst NAME = "x";`,
    `const NAME = "x";\nconst RATE = 0.5;`,
    [],
  ],
  ["a module constant used by one step", "flow.ts", "RATE = 0.5", "RATE = 0.25", ["fit"]],
  ["a constant two imports away", "deep.ts", "FACTOR = 2", "FACTOR = 3", ["fit"]],
  ["the body of one step", "flow.ts", "/ all.length", "/ (all.length + 1)", ["mean"]],
  ["a retry option", "flow.ts", "retry: 1", "retry: 3", []],
  ["a parameter", "flow.ts", "p.number(5)", "p.number(6)", []],
];

test("an edit changes exactly the code ids of the steps that reach it", async (t) => {
  const before = codeIds(await loadFiles(t, FILES));
  for (const [what, file, from, to, changed] of EDITS) {
    assert.ok(FILES[file].includes(from), what);
    const after = codeIds(
      await loadFiles(t, { ...FILES, [file]: FILES[file].replace(from, () => to) }),
    );
    const differ = Object.keys(before).filter((step) => before[step] !== after[step]);
    assert.deepEqual(differ, changed, what);
  }
});

test("a small flow is loaded in well under a second and its steps run alone", async (t) => {
  const file = await writeFlow(t, FILES);
  await load(file);
  const start = performance.now();
  const { package: flow } = await load(file);
  t.diagnostic(`${Math.round(performance.now() - start)} ms`);
  assert.ok(performance.now() - start < 2000);
  assert.deepEqual(await runStep(flow, "fit", { xs: [1, 2] }), { loss: 3 });
  assert.deepEqual(await runStep(flow, "load"), { name: "x", xs: [1, 2, 3] });
  assert.match(flow.steps["fit"]?.kind === "script" ? flow.steps["fit"].at : "", /^flow\.ts:7$/);
});

test("the catch handler is part of a step's identity and of its slice", async (t) => {
  const text = (value: number): string =>
    `import { flow } from "meshflow";\nconst SPARE = ${value};\nconst f = flow("c");\nf.step("s", {}, { catch: () => ({ v: SPARE }) }, () => ({ v: 1 }));\nexport default f;`;
  const [one, two] = [
    await loadFiles(t, { "flow.ts": text(1) }),
    await loadFiles(t, { "flow.ts": text(2) }),
  ];
  assert.notEqual(codeIds(one)["s"], codeIds(two)["s"]);
});

test("a captured variable is refused with its name and place", async (t) => {
  const text = `import { flow } from "meshflow";\nconst f = flow("c");\nfor (const k of [1]) f.step("s" + k, {},\n () => ({ v: k }));\nexport default f;`;
  const error = await failure(t, { "flow.ts": text });
  assert.equal(error.code, "STEP_CAPTURES");
  assert.equal(error.details["names"], "k");
  assert.equal(error.details["at"], "flow.ts:4");
});

test("a step that reads a handle is refused", async (t) => {
  const text = `import { flow } from "meshflow";\nconst f = flow("c");\nconst a = f.step("a", {}, () => ({ v: 1 }));\nf.step("b", {}, () => ({ v: a }));\nexport default f;`;
  const error = await failure(t, { "flow.ts": text });
  assert.equal(error.code, "STEP_READS_HANDLE");
  assert.deepEqual([error.details["step"], error.details["names"]], ["b", "a"]);
});

test("a handle is also seen through a helper, and this of an enclosing function is a capture", async (t) => {
  const through = await failure(t, {
    "flow.ts": `import { flow } from "meshflow";\nconst f = flow("c");\nconst a = f.step("a", {}, () => ({ v: 1 }));\nconst help = () => a;\nf.step("b", {}, () => ({ v: help() }));\nexport default f;`,
  });
  assert.deepEqual([through.code, through.details["names"]], ["STEP_READS_HANDLE", "help"]);
  const own = await failure(t, {
    "flow.ts": `import { flow } from "meshflow";\nconst f = flow("c");\nfunction Make(this: any) { f.step("a", {}, () => ({ v: this.x })); }\nMake.call({ x: 1 });\nexport default f;`,
  });
  assert.deepEqual([own.code, own.details["names"]], ["STEP_CAPTURES", "this"]);
});

test("helpers of meshflow itself may be used in a step", async (t) => {
  const { package: flow } = await loadFiles(t, {
    "flow.ts": oneStep(`import { double } from "meshflow";`, "() => ({ v: double(4) })"),
  });
  assert.deepEqual(await runStep(flow, "s"), { v: 8 });
});

test("bound and built-in functions are refused", async (t) => {
  for (const fn of ["Math.max", "(() => ({})).bind(null)"]) {
    assert.equal((await failure(t, { "flow.ts": oneStep("", fn) })).code, "STEP_FUNCTION_FOREIGN");
  }
});

test("module-level failures name the user's lines", async (t) => {
  const thrown = await failure(t, {
    "flow.ts": `import "./lib.ts";\nexport default 1;`,
    "lib.ts": `\nconst go = (): never => { throw new TypeError("bad day"); };\ngo();`,
  });
  assert.equal(thrown.code, "FLOW_EVALUATION_FAILED");
  assert.match(String(thrown.details["reason"]), /TypeError: bad day \(lib\.ts:2:\d+\)/);
  const ended = await failure(t, { "flow.ts": `\nprocess.exit(3);` });
  assert.match(String(ended.details["reason"]), /process\.exit\(3\).*flow\.ts:2/);
  const loops = await failure(t, { "flow.ts": `for (;;) {}` }, { timeLimitMs: 300 });
  assert.match(String(loops.details["reason"]), /did not finish within 0\.3 s/);
  const waits = await failure(t, { "flow.ts": `await new Promise(() => {}); export default 1;` });
  assert.match(String(waits.details["reason"]), /waits at module level/);
});

test("a file that is missing, broken, without a flow or with an unknown package has its own error", async (t) => {
  await assert.rejects(load("/nowhere/flow.ts"), { code: "FLOW_FILE_MISSING" });
  assert.equal((await failure(t, { "flow.ts": "export default 5;" })).code, "FLOW_NOT_EXPORTED");
  assert.equal((await failure(t, { "flow.ts": "const = 5;" })).code, "FLOW_BUILD_FAILED");
  assert.equal((await failure(t, { "flow.ts": `import "./gone.ts";` })).code, "FLOW_BUILD_FAILED");
  const missing = await failure(t, { "flow.ts": `import "gone/deep";` });
  assert.deepEqual([missing.code, missing.details["package"]], ["PACKAGE_UNRESOLVED", "gone"]);
});

test("parameters are coerced by their schema, and wrong ones explained", async (t) => {
  const text = `import { flow, p } from "meshflow";\nexport default flow("pf", { n: p.number(1), on: p.flag(), name: p.string("5"), csv: p.file("data.csv"), pkg: p.file("pack/x.csv"), list: p.json([1]), must: p.number() });`;
  const file = await writeFlow(t, {
    "flow.ts": text,
    "data.csv": "a",
    "node_modules/pack/x.csv": "b",
  });
  const { params } = await load(file, {
    params: { n: "2.5", on: "true", name: "7", list: "[1,2]", must: ".5" },
  });
  assert.deepEqual(
    Object.fromEntries(Object.entries(params).map(([name, item]) => [name, item.value])),
    {
      n: 2.5,
      on: true,
      name: "7",
      csv: `${dirname(file)}/data.csv`,
      pkg: `${dirname(file)}/node_modules/pack/x.csv`,
      list: [1, 2],
      must: 0.5,
    },
  );
  await assert.rejects(load(file), { code: "PARAM_MISSING" });
  await assert.rejects(load(file, { params: { must: "x" } }), { code: "PARAM_INVALID" });
  await assert.rejects(load(file, { params: { must: "1", csv: "gone.csv" } }), {
    code: "PARAM_INVALID",
  });
  await assert.rejects(
    load(file, { params: { mast: "1" } }),
    (error: MfError) =>
      error.code === "PARAM_UNKNOWN" && String(error.details["hint"]).includes('"must"'),
  );
  assert.deepEqual((await load(file, { validateParams: false })).params, {});
});

test("packages with native code stay outside and name themselves in the identity", async (t) => {
  const text = oneStep(
    `import native from "native";\nimport { pure } from "pure";`,
    "() => ({ v: native.answer + pure })",
  );
  const packages = (version: string): Record<string, string> => ({
    "flow.ts": text,
    "package-lock.json": JSON.stringify({
      packages: { "node_modules/native": { integrity: "sha512-abc" } },
    }),
    "node_modules/native/package.json": JSON.stringify({
      name: "native",
      version,
      main: "index.js",
      gypfile: true,
    }),
    "node_modules/native/index.js": "module.exports = { answer: 40 };",
    "node_modules/pure/package.json": JSON.stringify({
      name: "pure",
      version: "1.0.0",
      main: "index.js",
    }),
    "node_modules/pure/index.js": "exports.pure = 2;",
  });
  const { package: one } = await loadFiles(t, packages("1.0.0"));
  const code = one.steps["s"];
  assert.deepEqual(code?.kind === "script" && code.externals, [
    { name: "native", version: "1.0.0", integrity: "sha512-abc" },
  ]);
  const { package: two } = await loadFiles(t, packages("2.0.0"));
  assert.notEqual(code?.codeId, two.steps["s"]?.codeId);
  const file = await writeFlow(t, packages("1.0.0"));
  const { package: kept } = await load(file);
  assert.deepEqual(await runStep(kept, "s"), { v: 42 });
  assert.equal(kept.steps["s"]?.codeId, code?.codeId, "the place of the flow does not count");
  await writeFiles(dirname(file), { "node_modules/pure/index.js": "exports.pure = 3;" });
  assert.notEqual((await load(file)).package.steps["s"]?.codeId, code?.codeId);
});

test("an abort ends the evaluation", async (t) => {
  const file = await writeFlow(t, { "flow.ts": "for (;;) {}" });
  const controller = new AbortController();
  const pending = load(file, { signal: controller.signal });
  controller.abort();
  await assert.rejects(pending, { code: "INTERRUPTED" });
});

function codeIds({ package: flow }: LoadedFlow): Record<string, string> {
  return Object.fromEntries(Object.entries(flow.steps).map(([step, code]) => [step, code.codeId]));
}

async function failure(
  t: TestContext,
  files: Record<string, string>,
  options = {},
): Promise<MfError> {
  try {
    await loadFiles(t, files, options);
  } catch (error) {
    if (isMfError(error)) return error;
    throw error;
  }
  throw new Error("it was loaded");
}
