import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { environmentChanges } from "../../../../src/client/explain/compare-task.ts";
import { ExplainedFlow, type Told } from "../../../support/explained-flow.ts";

const FLOW = `import { collect, each, flow, p } from "meshflow";
import { scale } from "./lib.ts";
const sweep = flow("sweep", { n: p.number(6), k: p.number(1) });
const load = sweep.step("load", { n: sweep.params.n }, ({ n }) => {
  return { xs: Array.from({ length: n }, (_, i) => scale(i)) };
});
const fit = sweep.step("fit", { x: each(load.xs) }, { retry: 1 }, ({ x }) => ({ loss: scale(x) + 1 }));
sweep.step("mean", { losses: collect(fit.loss), k: sweep.params.k }, {}, ({ losses, k }) => {
  const sum = losses.reduce((a, b) => a + b, 0);
  return { mean: (k * sum) / losses.length };
});
export default sweep;
`;
const FILES = {
  "flow.ts": FLOW,
  "lib.ts": `import { RATE } from "./deep.ts";
export function scale(x: number): number {
  return x * RATE;
}
export const unused = (x: number) => x + 1;
`,
  "deep.ts": `// Rates.

export const RATE = 0.1;
`,
  "report.ts": `import { flow, from } from "meshflow";
const report = flow("report");
report.step("write", { mean: from<number>("sweep/latest/mean.mean") }, ({ mean }) => ({ text: "mean " + mean }));
export default report;
`,
};

const KNOWN = ["load: reused", "fit: reused", "mean: reused"];
const LATE = "fit: waits; runs unless load comes to the same";
const MEAN_LATE = "mean: waits; runs unless load comes to the same";
const BOTH_LATE = "mean: waits; runs unless load and fit come to the same";
const RATE = "constant RATE (deep.ts:3): 0.1 -> 0.2";

interface Row {
  readonly what: string;
  readonly edit?: readonly [file: string, from: string, to: string];
  readonly told?: Told;
  /** Time that goes by first. */
  readonly afterMs?: number;
  readonly expected: readonly string[];
}

/** The edit table of the project's issue 2, and what else a task's identity is made of. */
const ROWS: readonly Row[] = [
  { what: "again", expected: KNOWN },
  { what: "a comment", edit: ["lib.ts", "  return", "  // why\n  return"], expected: KNOWN },
  { what: "an unused helper", edit: ["lib.ts", "x + 1", "x + 2"], expected: KNOWN },
  { what: "a retry option", edit: ["flow.ts", "retry: 1", "retry: 3"], expected: KNOWN },
  {
    what: "a constant two imports away",
    edit: ["deep.ts", "0.1", "0.2"],
    expected: [`load: runs; ${RATE}`, `fit: ~6 run; after load: ${RATE}`, BOTH_LATE],
  },
  {
    what: "the body of mean",
    edit: ["flow.ts", "(k * sum)", "(2 * k * sum)"],
    expected: [...KNOWN.slice(0, 2), "mean: runs; body of mean (flow.ts:10) changed"],
  },
  {
    what: "-p k=2",
    told: { params: { k: "2" } },
    expected: [...KNOWN.slice(0, 2), "mean: runs; parameter k: 1 -> 2"],
  },
  {
    what: "-p n=7",
    told: { params: { n: "7" } },
    expected: ["load: runs; parameter n: 6 -> 7", LATE, MEAN_LATE],
  },
  {
    what: "--seed",
    told: { request: { seed: "5" } },
    expected: [
      "load: runs; seed: 0 -> 5",
      "fit: ~6 run; after load: seed: 0 -> 5",
      "mean: runs; after load and fit: seed: 0 -> 5",
    ],
  },
  {
    what: "a salt",
    edit: ["flow.ts", "}, {}, ({ losses", '}, { cache: { salt: "v2" } }, ({ losses'],
    expected: [...KNOWN.slice(0, 2), "mean: runs; cache salt: none -> v2"],
  },
  {
    what: "a ttl that is over",
    edit: ["flow.ts", "}, {}, ({ losses", '}, { cache: { ttl: "10m" } }, ({ losses'],
    afterMs: 25 * 60_000,
    expected: [
      ...KNOWN.slice(0, 2),
      "mean: runs; its result is 25 min old, ttl 10 min (expired 15 min ago)",
    ],
  },
  {
    what: "cache: false",
    edit: ["flow.ts", "}, {}, ({ losses", "}, { cache: false }, ({ losses"],
    expected: [...KNOWN.slice(0, 2), "mean: runs; cache: false, it runs every time"],
  },
  {
    what: "another environment",
    told: { environments: { mean: "numpy@2.0.0" } },
    expected: [...KNOWN.slice(0, 2), "mean: runs; environment: numpy 2.0.0 is new"],
  },
  {
    what: "--rerun",
    told: { request: { rerun: ["fit"] } },
    expected: [
      "load: reused",
      "fit: runs; 6 of 6 run: --rerun was asked for",
      "mean: waits; runs unless fit comes to the same",
    ],
  },
  {
    what: "--no-cache",
    told: { request: { noCache: true } },
    expected: [
      "load: runs; --no-cache was asked for",
      "fit: ~6 run; after load: --no-cache was asked for",
      "mean: runs; after load and fit: --no-cache was asked for",
    ],
  },
  {
    what: "another wiring",
    edit: ["flow.ts", "k: sweep.params.k }", "k: sweep.params.n }"],
    expected: [...KNOWN.slice(0, 2), "mean: runs; input k: params.k -> params.n"],
  },
  {
    what: "a new step",
    edit: [
      "flow.ts",
      "export default",
      'sweep.step("extra", {}, () => ({ e: 1 }));\nexport default',
    ],
    expected: [...KNOWN, "extra: runs; extra has never run before"],
  },
];

function sweep(t: TestContext, fit: (x: number) => number = (x) => x): ExplainedFlow {
  return new ExplainedFlow(t, FILES, {
    load: ({ n }) => ({ xs: Array.from({ length: Number(n) }, (_, at) => at) }),
    fit: ({ x }) => ({ loss: fit(Number(x)) }),
    mean: ({ k, losses }) => ({ mean: Number(k) * (losses as number[]).length }),
    write: ({ mean }) => ({ text: `mean ${String(mean)}` }),
  });
}

test("before the first run everything runs, and says so", async (t) => {
  assert.deepEqual(await sweep(t).told(), [
    "load: runs; never run before",
    "fit: runs; after load: never run before",
    "mean: runs; after load and fit: never run before",
  ]);
});

test("each edit is told with what it changes and why", async (t) => {
  const flow = sweep(t);
  await flow.run();
  for (const { what, edit, told, afterMs, expected } of ROWS) {
    flow.reset();
    if (edit !== undefined) flow.edit(...edit);
    flow.clock.advance(afterMs ?? 0);
    assert.deepEqual(await flow.told(told), expected, what);
  }
});

test("a plan is what the run then does", async (t) => {
  const names = ["a constant two imports away", "-p k=2", "-p n=7", "--rerun", "--no-cache"];
  for (const row of ROWS.filter(({ what }) => names.includes(what))) {
    const flow = sweep(t);
    await flow.run();
    if (row.edit !== undefined) flow.edit(...row.edit);
    const plan = await flow.plan(row.told);
    const { tasks } = await flow.run(row.told);
    const { reused, runs, unknown } = plan.tasks;
    assert.ok(tasks.executed >= runs, row.what);
    assert.ok(tasks.executed <= runs + unknown, row.what);
    if (plan.isExact) assert.deepEqual([tasks.reused, tasks.executed], [reused, runs], row.what);
  }
});

test("nothing is written and nothing runs", async (t) => {
  const flow = sweep(t);
  await flow.run();
  const { store, hosts } = flow.engine;
  const before = [store.commitCount, hosts.executedCount, store.durable.contents.size];
  await flow.told({ params: { n: "7", k: "3" } });
  assert.deepEqual([store.commitCount, hosts.executedCount, store.durable.contents.size], before);
});

test("what the run before left half done is told by the task that made the difference", async (t) => {
  let isBroken = false;
  const flow = sweep(t, (x) => {
    if (isBroken) throw new Error("no");
    return x;
  });
  await flow.run();
  isBroken = true;
  assert.equal((await flow.run({ params: { n: "7" } })).state, "failed");
  const told = await flow.told({ params: { n: "7" } });
  assert.deepEqual(told.slice(0, 2), [
    "load: reused",
    "fit: 1 run, 6 reused; 1 of 7 runs: new element (6 before)",
  ]);
  assert.deepEqual(await flow.told({ params: { n: "6" } }), KNOWN);
});

test("an input that changed names its maker and the maker's reason", async (t) => {
  let shift = 0;
  const flow = new ExplainedFlow(t, FILES, {
    load: ({ n }) => ({ xs: Array.from({ length: Number(n) }, (_, at) => at + shift) }),
    fit: ({ x }) => {
      if (shift > 0) throw new Error("no");
      return { loss: Number(x) };
    },
    mean: ({ k }) => ({ mean: k }),
  });
  await flow.run();
  shift = 100;
  flow.edit("flow.ts", "length: n", "length: n + 0");
  await flow.run();
  const told = await flow.told();
  assert.equal(told[0], "load: reused");
  assert.equal(
    told[1],
    "fit: runs; 6 of 6 run: each(load.xs) changed because load ran with body of load (flow.ts:5) changed",
  );
  const lines = await flow.lines("fit");
  assert.match(lines.join("\n"), /compared with sweep\/\w+, made \d+ min ago on local/);
  assert.match(
    lines.join("\n"),
    /baga…\w{4} -> baga…\w{4}\n.*by load on local, 0 s ago, because\n/,
  );
});

test("a step that came to something else with the same inputs is called not repeatable", async (t) => {
  let shift = 0;
  const flow = new ExplainedFlow(t, FILES, {
    load: ({ n }) => ({ xs: Array.from({ length: Number(n) }, (_, at) => at + shift) }),
    fit: ({ x }) => {
      if (shift > 0) throw new Error("no");
      return { loss: Number(x) };
    },
    mean: ({ k }) => ({ mean: k }),
  });
  await flow.run();
  shift = 100;
  await flow.run({ request: { rerun: ["load"] } });
  const [, fit] = await flow.told();
  assert.equal(fit, "fit: runs; 6 of 6 run: each(load.xs) changed because load is not repeatable");
});

test("a version of another run is told with the runs that made it", async (t) => {
  const flow = sweep(t);
  const first = await flow.run();
  await flow.run({ file: "report.ts" });
  const second = await flow.run({ params: { k: "2" } });
  const [told = ""] = await flow.told({ file: "report.ts" });
  assert.match(told, /^write: runs; sweep\/latest\/mean\/mean is another version: baga…\w{4} of /);
  assert.ok(told.includes(`of sweep/${first.run.id} on local -> `), told);
  assert.ok(told.endsWith(`of sweep/${second.run.id} on local`), told);
});

test("results that are gone or were removed are told as such", async (t) => {
  const flow = sweep(t);
  const { run } = await flow.run();
  const { durable } = flow.engine.store;
  const [mean] = await flow.records.facts(
    durable.journals
      .get(`sweep/${run.id}`)
      ?.flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks : []))
      .filter((task) => task.step === "mean") ?? [],
  );
  assert.ok(mean?.outputs["mean"] !== undefined);
  durable.contents.delete(mean.outputs["mean"].id);
  assert.deepEqual(await flow.told(), [
    ...KNOWN.slice(0, 2),
    "mean: runs; its result is known, but no peer has mean any more",
  ]);
  durable.facts.delete(mean.memoKey);
  assert.deepEqual(await flow.told(), [
    ...KNOWN.slice(0, 2),
    "mean: runs; it ran before, but its result has been removed",
  ]);
});

test("environments are compared package by package", () => {
  const before = "python@3.11.2 numpy@1.26.4 scipy@1.0";
  assert.deepEqual(environmentChanges(before, "python@3.11.2 numpy@2.0.0 pandas@2"), [
    { name: "numpy", before: "1.26.4", after: "2.0.0" },
    { name: "pandas", after: "2" },
    { name: "scipy", before: "1.0" },
  ]);
  assert.deepEqual(
    environmentChanges("@x/sqlite@1.0.0+sha512-aa== b@2+", "@x/sqlite@1.1.0+sha512-bb== b@2+"),
    [{ name: "@x/sqlite", before: "1.0.0", after: "1.1.0" }],
  );
});
