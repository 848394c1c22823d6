/** `mf plan` and `mf why` as people use them: alone, and at a daemon for what another one ran. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPeer } from "../support/mesh-place.ts";
import { errorOf, MfPlace } from "../support/mf-process.ts";

const FLOW = `import { collect, each, flow, p } from "meshflow";
import { scale } from "./lib.ts";
const sweep = flow("sweep", { n: p.number(6), k: p.number(1) });
const load = sweep.step("load", { n: sweep.params.n }, ({ n }) => ({ xs: Array.from({ length: n }, (_, i) => scale(i)) }));
const fit = sweep.step("fit", { x: each(load.xs) }, { retry: 1 }, ({ x }) => ({ loss: scale(x) + 1 }));
sweep.step("mean", { losses: collect(fit.loss), k: sweep.params.k }, ({ losses, k }) => ({
  mean: (k * losses.reduce((a, b) => a + b, 0)) / losses.length }));
export default sweep;
`;
const FILES = {
  "sweep.ts": FLOW,
  "lib.ts": `import { RATE } from "./deep.ts";\nexport const scale = (x: number): number => x * RATE;\nexport const unused = 1;\n`,
  "deep.ts": `export const RATE = 0.1;\n`,
};

interface PlanJson {
  readonly tasks: { readonly reused: number; readonly runs: number; readonly unknown: number };
  readonly steps: readonly {
    readonly name: string;
    readonly state: string;
    readonly why: string;
  }[];
}

type Edit = readonly [file: keyof typeof FILES, from: string, to: string];
const RATE = "constant RATE (deep.ts:1): 0.1 -> 0.2";

/** Edit, options, and what each step says: "" where it is reused. */
const ROWS: readonly (readonly [what: string, Edit | undefined, string[], string[]])[] = [
  ["again", undefined, [], ["", "", ""]],
  ["a comment", ["lib.ts", "export const scale", "// why\nexport const scale"], [], ["", "", ""]],
  ["an unused helper", ["lib.ts", "unused = 1", "unused = 2"], [], ["", "", ""]],
  ["a retry option", ["sweep.ts", "retry: 1", "retry: 2"], [], ["", "", ""]],
  [
    "a constant two imports away",
    ["deep.ts", "0.1", "0.2"],
    [],
    [RATE, `after load: ${RATE}`, "runs unless load and fit come to the same"],
  ],
  [
    "the body of mean",
    ["sweep.ts", "(k * losses", "(2 * k * losses"],
    [],
    ["", "", "body of mean (sweep.ts:7) changed"],
  ],
  ["-p k=2", undefined, ["-p", "k=2"], ["", "", "parameter k: 1 -> 2"]],
  [
    "-p n=7",
    undefined,
    ["-p", "n=7"],
    [
      "parameter n: 6 -> 7",
      "runs unless load comes to the same",
      "runs unless load comes to the same",
    ],
  ],
];

function write(directory: string, edit?: Edit): string {
  for (const [name, text] of Object.entries(FILES)) {
    const [file, from, to] = edit ?? [];
    const isEdited = file === name && from !== undefined && to !== undefined;
    writeFileSync(join(directory, name), isEdited ? text.replace(from, to) : text);
  }
  return join(directory, "sweep.ts");
}

describe("one machine", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  test("a plan before the first run, after it, and what comes before a wrong question", async () => {
    for (const [name, text] of Object.entries(FILES)) place.write(name, text);
    const first = await place.mf(["plan", "sweep.ts"]);
    assert.equal(first.code, 0, first.err);
    assert.deepEqual(first.out.split("\n").slice(0, 3), [
      "step\ttasks\tplan\twhy",
      "load\t1\truns\tnever run before",
      "fit\t?\truns\tafter load: never run before",
    ]);
    assert.equal((await place.mf(["run", "sweep.ts", "--no-check"])).code, 0);
    const { err } = await place.mf(["plan", "sweep.ts", "--no-check"]);
    assert.match(err, /nothing to do; 8 of 8 tasks are known/);
    const why = await place.mf(["plan", "sweep.ts", "--no-check", "-p", "k=3", "--why", "mean"]);
    assert.match(
      why.out,
      /^mean: runs\n {2}compared with sweep\/\w+, made [\d.]+ m?s ago on local\n {4}parameter k: 1 -> 3\n$/,
    );
    const wrong = await place.mf(["plan", "sweep.ts", "--no-check", "--why", "nope", "--json"]);
    assert.equal(wrong.code, 2);
    assert.equal(errorOf(wrong).code, "USAGE");
  });

  test("why leads back to the parameter, as a tree and as data", async () => {
    const tree = await place.mf(["why", "sweep/latest/mean/mean"]);
    assert.equal(tree.code, 0, tree.err);
    assert.match(
      tree.out,
      /^sweep\/\w+\/mean\/mean {2}number {2}baga…\w{4}\nsweep\/\w+\/mean {2}made/,
    );
    assert.match(tree.out, /parameter n = 6/);
    const data = (await place.json(["why", "sweep/latest/mean/mean", "--json"])) as {
      facts: { step: string }[];
    };
    assert.equal(data.facts.length, 8);
    assert.equal((await place.mf(["why", "sweep/latest/nope"])).code, 3);
  });
});

describe("two daemons", () => {
  const root = mkdtempSync(join(tmpdir(), "mf-explain-"));
  const a = new MeshPeer(root, "a", ["--cpus", "1"]);
  const b = new MeshPeer(root, "b", ["--cpus", "1"]);
  before(async () => {
    await a.start();
    await b.start(["--join", (await a.mfd(["invite"])).out.trim()]);
    await eventuallyAsync("both are there", async () =>
      (await a.peers()).length === 2 && (await b.peers()).length === 2 ? true : undefined,
    );
    const { code, err } = await a.mf(["submit", write(root), "--no-check"]);
    assert.equal(code, 0, err);
  });
  after(() => {
    for (const peer of [a, b]) peer.dispose();
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  test("every row of the edit table is explained at the peer that did not submit", async () => {
    for (const [what, edit, options, expected] of ROWS) {
      const file = write(root, edit);
      const plan = await b.json<PlanJson>(["plan", file, "--no-check", "--json", ...options]);
      assert.deepEqual(
        plan.steps.map(({ why }) => why),
        expected,
        what,
      );
    }
  });

  test("a value that one peer made is explained at the other", async () => {
    const { code, out, err } = await b.mf(["why", "sweep/latest/mean/mean"]);
    assert.equal(code, 0, err);
    assert.match(out, /load {2}made [\d.]+ m?s ago on [ab], .*sweep\.ts:4/);
    assert.match(out, /parameter k = 1/);
  });
});
