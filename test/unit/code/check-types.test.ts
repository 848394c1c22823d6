import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkTypes, parseProblems } from "../../../src/code/check-types.ts";
import { writeFiles, writeFlow } from "./flow-files.ts";

const meshflowTypes = fileURLToPath(
  new URL("../../../../test/fixtures/code/fake-meshflow.d.ts", import.meta.url),
);
const GOOD = `import { flow } from "meshflow";
import { readFileSync } from "node:fs";
import { rate } from "./lib.ts";
const f = flow("x");
const a = f.step("a", { n: 1 }, ({ n }) => ({ v: n * rate, text: readFileSync("/dev/null", "utf8") }));
f.step("b", { v: a.v }, async ({ v }) => ({ w: v + 1 }));
export default f;
`;

test("a lone flow file is checked against the types of meshflow, and the verdict is kept", async (t) => {
  const file = await writeFlow(t, { "flow.ts": GOOD, "lib.ts": "export const rate = 2;\n" });
  const cacheDir = join(dirname(file), "cache");
  assert.deepEqual(await checkTypes(file, { meshflowTypes, cacheDir }), []);
  assert.equal((await readdir(cacheDir)).length, 1);
  assert.deepEqual(await checkTypes(file, { meshflowTypes, cacheDir }), []);
  await writeFiles(dirname(file), { "lib.ts": `export const rate = "two";\n` });
  const [problem] = await checkTypes(file, { meshflowTypes, cacheDir });
  assert.deepEqual([problem?.file, problem?.line, problem?.code], [file, 5, "TS2363"]);
  assert.equal((await readdir(cacheDir)).length, 2);
});

test("diagnostics are parsed with their continuation lines", () => {
  const output =
    "flow.ts(3,7): error TS2345: Argument is wrong.\n  Because of this.\n\nerror TS5000: No place.\n";
  assert.deepEqual(parseProblems(output, "/a"), [
    {
      file: "/a/flow.ts",
      line: 3,
      column: 7,
      code: "TS2345",
      message: "Argument is wrong.\n  Because of this.",
    },
    { file: "", line: 1, column: 1, code: "TS5000", message: "No place." },
  ]);
});
