import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { originMermaid } from "../../../../src/client/explain/origin-mermaid.ts";
import { originLines } from "../../../../src/client/explain/origin-tree.ts";
import { traceOrigin } from "../../../../src/client/explain/why.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { ExplainedFlow } from "../../../support/explained-flow.ts";

const FILES = {
  "flow.ts": `import { collect, each, flow, p } from "meshflow";
const sweep = flow("sweep", { n: p.number(6), k: p.number(1) });
const load = sweep.step("load", { n: sweep.params.n }, ({ n }) => ({ xs: [n] }));
const fit = sweep.step("fit", { x: each(load.xs), factor: sweep.value(3) }, ({ x }) => ({ loss: x }));
sweep.step("mean", { losses: collect(fit.loss), k: sweep.params.k, n: load }, ({ k }) => ({ mean: k }));
export default sweep;
`,
  "report.ts": `import { flow, from } from "meshflow";
const report = flow("report");
report.step("write", { mean: from<number>("sweep/latest/mean.mean") }, ({ mean }) => ({ text: "mean " + mean }));
export default report;
`,
};

function sweep(t: TestContext): ExplainedFlow {
  return new ExplainedFlow(t, FILES, {
    load: ({ n }) => ({ xs: Array.from({ length: Number(n) }, (_, at) => at) }),
    fit: ({ x }) => ({ loss: x }),
    mean: ({ k, losses }) => ({ mean: Number(k) * (losses as number[]).length }),
    write: ({ mean }) => ({ text: `mean ${String(mean)}` }),
  });
}

/** As people read it, without ids and times. */
async function tree(flow: ExplainedFlow, text: string, depthMax = Infinity): Promise<string[]> {
  const origin = await traceOrigin(flow.records, text, { depthMax });
  const plain = (part: string): string => part;
  const lines = originLines(origin, { now: flow.clock.now(), bold: plain, dim: plain });
  return lines.map((line) =>
    line
      .replaceAll(/(sweep|report)\/[0-9a-z]{10}/g, "$1/RUN")
      .replaceAll(/baga…\w{4}/g, "ID")
      .replace(/ ·.*/, "")
      .replace(/, \d+ ms, by ada$/, ""),
  );
}

test("a value leads back to tasks, parameters and constants; what is shared is told once", async (t) => {
  const flow = sweep(t);
  await flow.run();
  assert.deepEqual(await tree(flow, "sweep/latest/mean/mean"), [
    "sweep/RUN/mean/mean  number  ID",
    "sweep/RUN/mean  made 0 s ago on local",
    "├─ losses ← collect(fit.loss): 6 tasks",
    "│  ├─ fit[0]  made 0 s ago on local",
    "│  │  ├─ x ← each(load.xs)  ID",
    "│  │  │  └─ load  made 0 s ago on local",
    "│  │  │     └─ parameter n = 6",
    "│  │  └─ factor ← constant 3",
    "│  ├─ fit[1]  made 0 s ago on local",
    "│  ├─ fit[2]  made 0 s ago on local",
    "│  └─ … 3 more",
    "├─ parameter k = 1",
    "└─ n ← load  (load above)",
  ]);
});

test("a version of another run is followed into that run, a reused task to the run that made it", async (t) => {
  const flow = sweep(t);
  const { run } = await flow.run();
  await flow.run();
  await flow.run({ file: "report.ts" });
  const origin = await traceOrigin(flow.records, "report/latest/write");
  const version = origin.inputs.find(({ from }) => from.k === "version");
  assert.ok(version?.from.k === "version");
  const mean = origin.facts.find(
    ({ id }) => id === (version.from.k === "version" ? version.from.fact : ""),
  );
  assert.equal(mean?.step, "mean");
  assert.deepEqual([mean.isReused, mean.madeIn], [true, `sweep/${run.id}`]);
  assert.equal(mean.codeAt, "flow.ts:5");
  assert.ok(origin.inputs.some(({ from }) => from.k === "parameter" && from.text === "6"));
});

test("content by its id leads to every task that made it", async (t) => {
  const flow = sweep(t);
  const { run } = await flow.run();
  await flow.run();
  const whole = await traceOrigin(flow.records, "sweep/latest/mean");
  const id = whole.facts[0]?.outputs["mean"]?.id ?? "";
  const { roots } = await traceOrigin(flow.records, `c:${id}`);
  assert.deepEqual(roots, [`sweep/${run.id}/mean`]);
});

test("depth ends the walk and still names the inputs", async (t) => {
  const flow = sweep(t);
  await flow.run();
  const lines = await tree(flow, "sweep/latest/fit[2]", 1);
  assert.deepEqual(lines, [
    "sweep/RUN/fit[2]  made 0 s ago on local",
    "├─ x ← each(load.xs)  ID",
    "│  └─ load  …",
    "└─ factor ← constant 3",
  ]);
});

test("a diagram has one box for a step's tasks", async (t) => {
  const flow = sweep(t);
  await flow.run();
  const text = originMermaid(await traceOrigin(flow.records, "sweep/latest/mean/mean"));
  assert.equal(text.match(/fit\[…\]/g)?.length, 1);
  assert.match(text, /^flowchart LR\n/);
  assert.match(text, /\(\["parameter k = 1"\]\)/);
});

test("what names nothing is refused with what there is", async (t) => {
  const flow = sweep(t);
  await flow.run();
  for (const [text, code] of [
    ["sweep/latest/nope", "PATHSPEC_NOT_FOUND"],
    ["sweep/latest/fit[9]", "PATHSPEC_NOT_FOUND"],
    ["sweep/latest/mean/other", "PATHSPEC_NOT_FOUND"],
    ["other/latest/x", "RUN_NOT_FOUND"],
    ["c:baaaaa", "PATHSPEC_NOT_FOUND"],
    ["[", "PATHSPEC_INVALID"],
  ] as const)
    await assert.rejects(traceOrigin(flow.records, text), (error) => isMfError(error, code), text);
});

test("what came through a switch leads to the chosen case and to the value that chose it", async (t) => {
  const text = `import { flow, p } from "meshflow";
const f = flow("sw", { mode: p.string("slow"), note: p.string("a\\u001b[31m\\nb") });
const pick = f.step("pick", f.params, ({ mode }) => ({ mode }));
const way = f.switch("way", pick.mode, {
  fast: () => f.step("fast", {}, () => ({ v: 1 })),
  slow: () => f.step("slow", {}, () => ({ v: 2 })),
});
f.step("end", { v: way.v }, ({ v }) => ({ v }));
export default f;
`;
  const flow = new ExplainedFlow(
    t,
    { "flow.ts": text },
    {
      pick: ({ mode }) => ({ mode }),
      fast: () => ({ v: 1 }),
      slow: () => ({ v: 2 }),
      end: ({ v }) => ({ v }),
    },
  );
  await flow.run();
  const lines = (await tree(flow, "sw/latest/end")).map((line) => line.replace(/ +made.*/, ""));
  assert.deepEqual(lines.slice(1), [
    "├─ v ← way.v  ID",
    "│  └─ slow",
    "└─ decision of way ← pick.mode",
    "   └─ pick",
    "      ├─ parameter mode = slow",
    "      └─ parameter note = a [31m b",
  ]);
});
