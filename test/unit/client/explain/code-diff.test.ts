import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { CodeId } from "../../../../src/model/ids.ts";
import type { PythonCode, StepCode } from "../../../../src/code/flow-package.ts";
import { diffCode, type CodeChange } from "../../../../src/client/explain/code-diff.ts";
import { codeChangesText } from "../../../../src/client/explain/code-words.ts";
import { loadFiles, scriptOf } from "../../code/flow-files.ts";

const FLOW = `import { flow, p } from "meshflow";
import { hostname } from "node:os";
import { scale } from "./lib.ts";
let seen = 0;
const sweep = flow("sweep", { n: p.number(6) });
const load = sweep.step("load", sweep.params, () => {
  seen++;
  return { xs: [1, 2, 3].map(scale) };
});
sweep.step("mean", { data: load }, ({ data }: { data: { xs: number[] } }) => {
  const sum = data.xs.reduce((a, b) => a + b, 0);
  // The mean.
  return { mean: sum / data.xs.length };
});
sweep.step("where", {}, () => ({ where: hostname() }));
export default sweep;
`;
const FILES = {
  "flow.ts": FLOW,
  "lib.ts": `import { RATE } from "./deep.ts";
/** Times the rate. */
export function scale(x: number): number {
  return x * RATE;
}
export const unused = (x: number) => x + 1;
`,
  "deep.ts": `// Rates.

export const RATE = 0.1;
export const LIST = [1, 2];
`,
};

type Edit = readonly [file: keyof typeof FILES, from: string, to: string];

const EDITS: readonly (readonly [step: string, edit: Edit, text: string])[] = [
  ["load", ["deep.ts", "RATE = 0.1", "RATE = 0.2"], "constant RATE (deep.ts:3): 0.1 -> 0.2"],
  ["load", ["lib.ts", "x * RATE", "x * RATE + 1"], "function scale (lib.ts:4) changed"],
  ["mean", ["flow.ts", "sum / data", "2 * sum / data"], "body of mean (flow.ts:13) changed"],
  ["load", ["lib.ts", "x * RATE", "LIST.length * x"], "function scale (lib.ts:4) changed"],
  ["load", ["flow.ts", "seen = 0", "seen = 1"], "variable seen (flow.ts:4): 0 -> 1"],
  [
    "where",
    [
      "flow.ts",
      'import { hostname } from "node:os"',
      'import { release as hostname } from "node:os"',
    ],
    'import release as hostname from "node:os" is new; import hostname from "node:os" is gone',
  ],
];

test("what an edit changed is told with name, file and line", async (t) => {
  for (const [step, [file, from, to], text] of EDITS) {
    assert.ok(FILES[file].includes(from), from);
    const edited = FILES[file].replace(from, to);
    const imports = edited.includes("LIST.length")
      ? edited.replace("{ RATE }", "{ LIST }")
      : edited;
    const { changes } = await differences(t, step, { [file]: imports });
    assert.equal(codeChangesText(changes, step), text);
  }
});

test("comments, layout and types change nothing, also beside a change", async (t) => {
  const lib = FILES["lib.ts"].replace("return x", "// why\n  return  /* here */ x");
  assert.deepEqual((await differences(t, "load", { "lib.ts": lib })).changes, []);
  const deep = FILES["deep.ts"].replace("0.1", "0.3");
  const { changes } = await differences(t, "load", { "lib.ts": lib, "deep.ts": deep });
  assert.deepEqual(
    changes.map(({ what, name }) => `${what} ${name}`),
    ["constant RATE"],
  );
});

test("the lines of a change carry the user's lines, before and after", async (t) => {
  const flow = FLOW.replace("let seen", "\n\nlet seen").replace("sum / data", "3 * sum / data");
  const { changes } = await differences(t, "mean", { "flow.ts": flow });
  const [change] = changes;
  assert.equal(change?.what, "body");
  const told = change.lines.map(({ sign, text, line }) => `${sign}${line} ${text.trim()}`);
  assert.deepEqual(told, [
    " 11 const sum = data.xs.reduce((a, b) => a + b, 0);",
    "-13 return { mean: sum / data.xs.length };",
    "+15 return { mean: 3 * sum / data.xs.length };",
    " 14 }",
  ]);
});

test("what is newly reached and no more reached follows what has changed", async (t) => {
  const lib = FILES["lib.ts"]
    .replace("{ RATE }", "{ LIST }")
    .replace("x * RATE", "x * LIST.length");
  const { changes } = await differences(t, "load", { "lib.ts": lib });
  assert.deepEqual(
    changes.map(({ what, how, name }) => `${how} ${what} ${name}`),
    ["changed function scale", "added constant LIST", "removed constant RATE"],
  );
});

test("a package outside the bundle is named with its versions", () => {
  const before = fake([{ name: "sqlite", version: "1.0.0", integrity: "a" }], "1");
  const after = fake([{ name: "sqlite", version: "1.1.0", integrity: "b" }], "2");
  assert.equal(codeChangesText(diffCode(before, after), "load"), "package sqlite: 1.0.0 -> 1.1.0");
});

test("Python is told by file and line, another language by its name", () => {
  const before = python({ "fit.py": "import x\n\ndef fit(a):\n    return a\n" }, "1");
  const after = python({ "fit.py": "import x\n\ndef fit(a):\n    return a + 1\n" }, "2");
  assert.equal(codeChangesText(diffCode(before, after), "fit"), "code (fit.py:4) changed");
  assert.equal(
    codeChangesText(diffCode(before, fake([], "3")), "fit"),
    "language of fit: Python -> TypeScript",
  );
});

test("a slice that this version cannot read is told as lines", () => {
  const before: StepCode = { ...fake([], "1"), slice: "((((" };
  const after: StepCode = { ...fake([], "2"), slice: "((((\nmore" };
  assert.equal(codeChangesText(diffCode(before, after), "fit"), "code of fit changed");
});

async function differences(
  t: TestContext,
  step: string,
  files: Partial<typeof FILES>,
): Promise<{ changes: readonly CodeChange[] }> {
  const before = await loadFiles(t, FILES);
  const after = await loadFiles(t, { ...FILES, ...files });
  return { changes: diffCode(scriptOf(before.package, step), scriptOf(after.package, step)) };
}

function fake(
  externals: readonly { name: string; version: string; integrity: string }[],
  codeId: string,
): Extract<StepCode, { kind: "script" }> {
  return {
    kind: "script",
    codeId: codeId as CodeId,
    slice: "((scope, require) => { return { fn: () => 1 }; })",
    isStateless: true,
    externals,
    resolveFrom: "/",
    at: "flow.ts:1",
  };
}

function python(files: Readonly<Record<string, string>>, codeId: string): PythonCode {
  return {
    kind: "python",
    codeId: codeId as CodeId,
    entry: "fit.py",
    fn: "fit",
    files,
    imports: [],
    requires: [],
  };
}
