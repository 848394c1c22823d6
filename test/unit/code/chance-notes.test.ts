import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { test } from "node:test";
import { chanceNotes } from "../../../src/code/chance-notes.ts";
import { loadFlow } from "../../../src/code/load-flow.ts";
import { readStoredParams } from "../../../src/code/stored-flow.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { PythonCode } from "../../../src/code/flow-package.ts";
import { flowPackage } from "../../support/engine-fixture.ts";
import { writeFlow } from "./flow-files.ts";

test("what a step reaches and what is not repeatable in it is told by its place, also behind a helper", async (t) => {
  const file = await writeFlow(t, {
    "lib.ts":
      "export const jitter = (x: number) => x + Math.random();\nexport const unused = () => Date.now();\n",
    "flow.ts": `import { flow } from "meshflow";
import { jitter } from "./lib.ts";
const f = flow("f");
f.step("a", {}, () => ({ x: jitter(1), when: new Date(0), y: "Math.random()" }));
f.step("b", {}, (_, { random }) => ({
  at: new Date().getTime(),
  ok: random(),
  id: globalThis.crypto.randomUUID().length,
}));
f.step("c", {}, () => ({ x: jitter(2) }));
export default f;
`,
  });
  const { package: flow } = await loadFlow(file);
  assert.deepEqual(chanceNotes(flow), [
    { step: "a", at: "lib.ts:1:42", what: "Math.random()", kind: "chance" },
    { step: "b", at: "flow.ts:6:7", what: "new Date()", kind: "clock" },
    { step: "b", at: "flow.ts:8:7", what: "crypto.randomUUID()", kind: "chance" },
  ]);
});

test("texts are read by the schemas of the stored flow, with its files gone; what has no text is left alone", async (t) => {
  const file = await writeFlow(t, {
    "schema.ts": `import { p } from "meshflow";\nexport const n = p.number();`,
    "flow.ts": `import { flow, p } from "meshflow";
import { basename } from "node:path";
import { n } from "./schema.ts";
const f = flow(basename("/x/stored"), { n, csv: p.file("missing.csv"), word: p.oneOf(["a", "b"]) });
f.step("a", f.params, (all) => all);
export default f;
`,
  });
  const { package: flow } = await loadFlow(file, { validateParams: false });
  await rm(dirname(file), { recursive: true });
  assert.deepEqual(await readStoredParams(flow, {}), {});
  assert.deepEqual(await readStoredParams(flow, { n: "4", word: "b" }), {
    n: { value: 4, kind: "number", text: "4" },
    word: { value: "b", kind: "one-of", text: "b" },
  });
  for (const [texts, code] of [
    [{ n: "x" }, "PARAM_INVALID"],
    [{ m: "1" }, "PARAM_UNKNOWN"],
    [{ csv: "/nowhere.csv" }, "PARAM_INVALID"],
  ] as const)
    await assert.rejects(readStoredParams(flow, texts), (error) => isMfError(error, code));
});

test("Python: the clock and the system's chance, but not the generators that are seeded; no comments", () => {
  const text =
    "import random, time, uuid\ndef f():\n  # time.time()\n  x = random.random()\n  return {'t': time.time(), 'u': str(uuid.uuid4())}\n";
  const code: PythonCode = {
    kind: "python",
    codeId: "x" as PythonCode["codeId"],
    entry: "a.py",
    fn: "f",
    files: { "a.py": text },
    imports: [],
    requires: [],
  };
  const { graph } = flowPackage({ steps: [{ name: "py" }] });
  assert.deepEqual(
    chanceNotes({ graph, steps: { py: code } }).map(({ at, what, kind }) => [at, what, kind]),
    [
      ["a.py:5:16", "time.time()", "clock"],
      ["a.py:5:38", "uuid.uuid4()", "chance"],
    ],
  );
});
