/** Steps as a flow file gives them, run in a real host: the code that travels and the hosts fit each other. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { FlowPackage } from "../../../../src/code/flow-package.ts";
import { loadFlow } from "../../../../src/code/load-flow.ts";
import type { BatchResult } from "../../../../src/task/host-messages.ts";
import { batchOf, home, outputs, pool } from "./batches.ts";

let flows = 0;

async function load(files: Readonly<Record<string, string>>): Promise<FlowPackage> {
  const directory = join(home, `flow${(flows += 1)}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return (await loadFlow(join(directory, "flow.ts"))).package;
}

async function call(flow: FlowPackage, step: string, inputs: object = {}): Promise<BatchResult> {
  const code = flow.steps[step];
  assert.ok(code !== undefined);
  return pool.runBatch(batchOf(code, [inputs]), { exclusive: code.kind === "python" });
}

const head = `import { flow } from "meshflow";\nconst f = flow("t");\n`;

test("a thrown error shows the user's files and lines, the user's frames first", async () => {
  const flow = await load({
    "lib/deep.ts": `export function deep(n: number): number {\n  if (n === 0) throw new TypeError("deep");\n  return deep(n - 1);\n}\n`,
    "flow.ts": `import { deep } from "./lib/deep.ts";\n${head}f.step("s", {}, () => {\n  const all = [1].map(deep);\n  return { all };\n});\nexport default f;\n`,
  });
  const error = (await call(flow, "s")).outcomes[0]?.error;
  const [title, ...frames] = (error?.stack ?? "").split("\n");
  assert.equal(title, "TypeError: deep");
  const places = frames.map((line) => /[\w/.]+:\d+(?=:\d+\)?$)/.exec(line)?.[0]);
  assert.deepEqual(places.slice(0, 3), ["lib/deep.ts:2", "lib/deep.ts:3", "flow.ts:5"]);
});

test("module-level await and built-in modules work in a host", async () => {
  const flow = await load({
    "flow.ts": `import { sep } from "node:path";\n${head}const k = await Promise.resolve(4);\nf.step("s", {}, async () => ({ k, sep, sync: (await import("node:fs")).constants.R_OK }));\nexport default f;\n`,
  });
  const result = await call(flow, "s");
  assert.equal(result.outcomes[0]?.error, undefined);
  assert.deepEqual(outputs(result), { k: 4, sep: "/", sync: 4 });
});

test("a Python step carries its out schema and its catch handler, wherever they are written", async () => {
  const schema = `{ "~standard": { version: 1 as const, vendor: "t", validate: (v: unknown) => ({ value: v }) } }`;
  const flow = await load({
    "st.py": "def f():\n  return {}\n",
    "flow.ts": `${head}const Out = ${schema};\nconst shared = { file: "st.py", fn: "f", out: Out };\nconst add = 2;
f.python("a", {}, { file: "st.py", fn: "f", out: Out, catch: (e: Error) => ({ m: e.message.length + add }) });
f.python("b", {}, shared);
f.python("c", {}, { ...shared, catch(e) { return { m: e.message }; } });
f.python("d", {}, { file: "st.py", fn: "f" });
export default f;\n`,
  });
  const beside = (step: string): string | undefined => {
    const code = flow.steps[step];
    return code?.kind === "python" ? code.beside?.slice : undefined;
  };
  assert.match(beside("a") ?? "", /catch: [^]*add[^]*out: \(Out\)/);
  assert.match(beside("b") ?? "", /out: \(shared\)\.out/);
  assert.match(beside("c") ?? "", /catch: [^]*\)\.catch/);
  assert.equal(beside("d"), undefined);
  const ids = Object.values(flow.steps).map((code) => code.codeId);
  assert.equal(new Set(ids).size, 4);
});

test("what a package writes on the global object comes with the package", async () => {
  const flow = await load({
    "node_modules/pack/package.json": `{"name":"pack","version":"1.0.0","type":"module","main":"m.js"}`,
    "node_modules/pack/m.js": `var _a;\n(_a = globalThis).packConfig ?? (_a.packConfig = { n: 3 });\nexport const config = globalThis.packConfig;\nexport const read = () => config.n;\n`,
    "flow.ts": `import { read } from "pack";\n${head}f.step("s", {}, () => ({ n: read() }));\nexport default f;\n`,
  });
  assert.deepEqual(outputs(await call(flow, "s")), { n: 3 });
});

test("a Python file outside the flow's directory is refused by name", async () => {
  writeFileSync(join(home, "outside.py"), "def f():\n  return {}\n");
  const text = `${head}f.python("s", {}, { file: "../outside.py", fn: "f" });\nexport default f;\n`;
  await assert.rejects(
    load({ "flow.ts": text }),
    /outside\.py is outside the flow file's directory/,
  );
});
