import assert from "node:assert/strict";
import { test } from "node:test";
import { compileStep, mapSliceStack } from "../../../src/code/evaluate-slice.ts";
import { FAKE_MESHFLOW, loadFiles, oneStep, runStep, scriptOf } from "./flow-files.ts";

interface Case {
  readonly what: string;
  readonly top?: string;
  readonly fn: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly answer: unknown;
}

const CASES: readonly Case[] = [
  {
    what: "side statements on a prototype",
    top: `class A {}\n(A.prototype as any).y = () => 3;`,
    fn: "() => (new A() as any).y()",
    answer: 3,
  },
  {
    what: "Object.assign on a function",
    top: `const t: any = () => 1;\nObject.assign(t, { extra: 4 });`,
    fn: "() => t.extra",
    answer: 4,
  },
  {
    what: "class statics and static blocks",
    top: `class S { static n = 3; static { S.n += 1; } }`,
    fn: "() => S.n",
    answer: 4,
  },
  {
    what: "enums",
    top: `enum C { R, G = 7 }\nconst all = Object.values(C);`,
    fn: "() => [C.G, all.length]",
    answer: [7, 4],
  },
  { what: "namespaces", top: `namespace N { export const k = 5; }`, fn: "() => N.k", answer: 5 },
  {
    what: "destructuring",
    top: `const { a, b: [c, d = 9] } = { a: 1, b: [2] as number[] };`,
    fn: "() => [a, c, d]",
    answer: [1, 2, 9],
  },
  {
    what: "hoisted functions that call each other",
    top: `const v = even(4);\nfunction even(n: number): boolean { return n === 0 || odd(n - 1); }\nfunction odd(n: number): boolean { return n !== 0 && even(n - 1); }`,
    fn: "() => v",
    answer: true,
  },
  {
    what: "an initialiser that is called",
    top: `let state = 0;\nfunction init() { state = 5; }\ninit();`,
    fn: "() => state",
    answer: 5,
  },
  {
    what: "a loop that fills a table",
    top: `const table: Record<string, number> = {};\nfor (const k of ["a", "b"]) table[k] = k.length;`,
    fn: "() => table",
    answer: { a: 1, b: 1 },
  },
  {
    what: "top-level await",
    top: `const later = await Promise.resolve(6);`,
    fn: "() => later",
    answer: 6,
  },
  {
    what: "built-in modules",
    top: `import { createHash } from "node:crypto";\nimport path from "path";\nimport * as os from "node:os";`,
    fn: `() => [createHash("sha1").update("").digest("hex").length, path.join("a", "b"), typeof os.cpus]`,
    answer: [40, "a/b", "function"],
  },
  {
    what: "JSON imports",
    top: `import data from "./d.json";`,
    fn: "() => data.k",
    files: { "d.json": `{"k":[1,2]}` },
    answer: [1, 2],
  },
  {
    what: "dynamic import of a local file",
    fn: `async () => { const l = await import("./lib.ts"); l.bump(); return l.count; }`,
    files: { "lib.ts": `export let count = 1;\nexport function bump() { count++; }` },
    answer: 2,
  },
  {
    what: "dynamic import of a built-in module",
    fn: `async () => (await import("node:path")).basename("/a/b")`,
    answer: "b",
  },
  {
    what: "namespace imports",
    top: `import * as lib from "./lib.ts";\nconst pick = (k: string) => (lib as any)[k];`,
    fn: `() => pick("x")`,
    files: { "lib.ts": `export const x = 8;\nexport const y = 9;` },
    answer: 8,
  },
  {
    what: "a named top-level function",
    top: `function fact(n: any): any { return n <= 1 || typeof n !== "number" ? 1 : n * fact(n - 1); }`,
    fn: "fact",
    answer: 1,
  },
  {
    what: "methods of an object",
    top: `const K = 2;\nconst steps = { async load() { return K; } };`,
    fn: "steps.load",
    answer: 2,
  },
  {
    what: "static methods of a class",
    top: `class Steps { static base = 3; static load() { return Steps.base; } }`,
    fn: "Steps.load",
    answer: 3,
  },
  { what: "method shorthand in place", top: "", fn: `({ go() { return 11; } }).go`, answer: 11 },
  {
    what: "generators and default values that are functions",
    top: `function* g() { yield 1; yield 2; }`,
    fn: "(_: unknown, __: unknown, f = () => [...g()]) => f()",
    answer: [1, 2],
  },
  {
    what: "createRequire in the flow",
    top: `import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);`,
    fn: `() => require("node:path").basename("/x/y")`,
    answer: "y",
  },
  {
    what: "a CommonJS package",
    top: `import pack, { inc } from "pack";`,
    fn: "() => [pack.base, inc(1), inc(1)]",
    files: {
      "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","main":"m.js"}`,
      "node_modules/pack/m.js": `const p = require("path"); let n = 0; exports.base = p.basename("/q/r"); exports.inc = (x) => x + ++n;`,
    },
    answer: ["r", 2, 3],
  },
  {
    what: "an ES package whose export is reassigned",
    top: `import { n, bump } from "pack";`,
    fn: "() => { bump(); return { n }; }",
    files: {
      "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","type":"module","main":"m.js"}`,
      "node_modules/pack/m.js": `export let n = 1; export function bump() { n += 1; }`,
    },
    answer: { n: 2 },
  },
  {
    what: "a package that the flow extends",
    top: `import pack from "pack";\npack.extend({ extra: 5 });`,
    fn: "() => pack.extra",
    files: {
      "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","type":"module","main":"m.js"}`,
      "node_modules/pack/m.js": `const pack = { extend(o) { Object.assign(pack, o); } }; export default pack;`,
    },
    answer: 5,
  },
  {
    what: "global effects of imported files",
    top: `import "./poly.ts";`,
    fn: "() => ([3, 4] as any).lastOne()",
    files: { "poly.ts": `(Array.prototype as any).lastOne = function () { return this.at(-1); };` },
    answer: 4,
  },
  {
    what: "a table in a lazily loaded file",
    fn: `async () => (await import("./lib.ts")).total`,
    files: {
      "lib.ts": `import { xs } from "./more.ts";\nxs.push(3);\nexport const total = xs.length;`,
      "more.ts": `export const xs = [1, 2];`,
    },
    answer: 3,
  },
  {
    what: "several names in one declaration, one of them a flow",
    top: `import { flow as make } from "meshflow";\nconst one = 1, other = make("other"), two = 2;\nvoid other;`,
    fn: "() => one + two",
    answer: 3,
  },
  {
    what: "a step function that a statement registers by name",
    top: `const K = 4;\nconst go = () => K;\nconst g = flow("g");\ng.step("x", {}, go);`,
    fn: "() => go()",
    answer: 4,
  },
  {
    what: "decorators",
    top: `const seen: string[] = [];\nfunction mark(target: any, context: any) { seen.push(context.name); }\nclass D { @mark run() { return 1; } }`,
    fn: "() => [new D().run(), seen]",
    answer: [1, ["run"]],
  },
  {
    what: "private members and getters",
    top: `class C { #n = 2; get n() { return this.#n; } static of() { return new C(); } }`,
    fn: "() => C.of().n",
    answer: 2,
  },
  {
    what: "a package that keeps the user's own table",
    top: `import { register, count } from "pack";\nconst table = { a: 1 };\nregister(table);\ntable.a = 2;`,
    fn: "() => count()",
    files: {
      "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","type":"module","main":"m.js"}`,
      "node_modules/pack/m.js": `let kept = null; export function register(x) { kept = x; } export function count() { return kept.a; }`,
    },
    answer: 2,
  },
  {
    what: "a table filled through an alias of a loop",
    top: `const out: number[] = [];\nfunction fill(n: number) { for (let i = 0; i < n; i++) out.push(i); }\nconst done = fill(3);\nvoid done;`,
    fn: "() => out",
    answer: [0, 1, 2],
  },
  {
    what: "shared built-in imports under one name",
    top: `import { join as j } from "node:path";\nimport { where } from "./lib.ts";`,
    fn: `() => [j("a", "b"), where()]`,
    files: {
      "lib.ts": `import { join as j } from "path";\nexport const where = () => j("c", "d");`,
    },
    answer: ["a/b", "c/d"],
  },
];

for (const { what, top = "", fn, files = {}, answer } of CASES) {
  test(`a slice runs alone like the module: ${what}`, async (t) => {
    const { package: flow } = await loadFiles(t, { ...files, "flow.ts": oneStep(top, fn) });
    assert.deepEqual(await runStep(flow, "s"), answer);
  });
}

test("import.meta names the user's own file", async (t) => {
  const { package: flow } = await loadFiles(t, {
    "lib/a.ts": `export const here = () => [import.meta.url, import.meta.dirname];`,
    "flow.ts": oneStep(`import { here } from "./lib/a.ts";`, "() => here()"),
  });
  const [url, directory] = (await runStep(flow, "s")) as [string, string];
  assert.match(url, /^file:.*\/lib\/a\.ts$/);
  assert.match(directory, /\/lib$/);
});

test("module-level variables start over with each instance, a package's do not", async (t) => {
  const files = {
    "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","type":"module","main":"m.js"}`,
    "node_modules/pack/m.js": `let n = 0; export const next = () => ++n;`,
    "flow.ts": oneStep(
      `import { next } from "pack";\nlet mine = 0;\nconst seen: number[] = [];`,
      "() => { seen.push(1); return [++mine, seen.length, next()]; }",
    ),
  };
  const { package: flow } = await loadFiles(t, files);
  const code = scriptOf(flow, "s");
  assert.equal(code.isStateless, false);
  const step = compileStep(code, FAKE_MESHFLOW);
  const [one, two] = [await step.instantiate(), await step.instantiate()];
  assert.deepEqual(
    [one.fn({}, {}), two.fn({}, {}), one.fn({}, {})],
    [
      [1, 1, 1],
      [1, 1, 2],
      [2, 2, 3],
    ],
  );
});

test("state is seen wherever it may hide", async (t) => {
  const stateless = async (top: string, fn: string): Promise<boolean> =>
    scriptOf((await loadFiles(t, { "flow.ts": oneStep(top, fn) })).package, "s").isStateless;
  assert.equal(
    await stateless(
      `const K = -1.5; const L = Object.freeze([1, 2]); const add = (x: number) => x + K; class P { v = 1; }`,
      "() => [add(1), L, new P()]",
    ),
    true,
  );
  assert.equal(await stateless(`const xs = [1];`, "() => xs"), false);
  assert.equal(await stateless(`const re = /a/g;`, "() => re.test('a')"), false);
  assert.equal(await stateless(`let n = 0;`, "() => ++n"), false);
  assert.equal(await stateless(`class A { static n = 0; }`, "() => ++A.n"), false);
  assert.equal(await stateless(`const g: any = () => g.count++;`, "() => g()"), false);
});

test("frames of a slice are shown in the user's files", async (t) => {
  const { package: flow } = await loadFiles(t, {
    "flow.ts": oneStep("", `() => {\n  const x: number = 1;\n  throw new Error("at " + x);\n}`),
  });
  const code = scriptOf(flow, "s");
  const { fn } = await compileStep(code, FAKE_MESHFLOW).instantiate();
  try {
    fn({}, {});
    assert.fail("it returned");
  } catch (error) {
    assert.match(mapSliceStack(code, (error as Error).stack ?? ""), /flow\.ts:6:\d+/);
  }
});
