/** What one peer has made or is making is not made by another: edits submitted all over the mesh, and the same flow from three peers at once. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MeshPlace } from "../support/mesh-place.ts";
import { errorOf } from "../support/mf-process.ts";

interface RunJson {
  readonly run: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly executed: number; readonly reused: number };
}

interface Edit {
  readonly comment?: string;
  readonly helper?: string;
  readonly scale?: number;
  readonly retry?: number;
  readonly mean?: string;
}

const SHARED = (scale: number): string => `export const SCALE = ${scale};`;
const BETWEEN = `import { SCALE } from "./shared.ts"; export const scaled = (x: number) => x * SCALE;`;

/** Eight tasks: load, six of fit, mean. */
function source({
  comment = "",
  helper = "",
  retry = 0,
  mean = "sum / fits.length",
}: Edit): string {
  return `import { scaled } from "./between.ts";
${comment}
${helper}
const sweep = flow("sweep", { n: p.number(6), k: p.number(1) });
const load = sweep.step("load", { n: sweep.params.n }, ({ n }) => ({ xs: Array.from({ length: n }, (_, i) => i), unit: scaled(1) }));
const fit = sweep.step("fit", { x: each(load.xs) }, { retry: ${retry} }, ({ x }) => ({ y: scaled(x) }));
sweep.step("mean", { fits: collect(fit.y), k: sweep.params.k }, ({ fits, k }) => {
  const sum = fits.reduce((a, b) => a + b, 0) * k;
  return { mean: ${mean} };
});
export default sweep;`;
}

/** Each step writes down that it was executed. */
function counted(file: string): string {
  return `import { appendFileSync } from "node:fs";
const said = (what: string) => appendFileSync(${JSON.stringify(file)}, what + "\\n");
const counted = flow("counted");
const list = counted.step("list", {}, () => { said("list"); return { items: Array.from({ length: 12 }, (_, i) => i) }; });
const work = counted.step("work", { n: each(list.items) }, async ({ n }) => {
  said("work " + n);
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { n };
});
counted.step("sum", { all: collect(work.n) }, ({ all }) => { said("sum"); return { total: all.reduce((a, b) => a + b, 0) }; });
export default counted;`;
}

describe("work that is shared in a mesh", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(3);
  });
  after(() => place.dispose());

  test("each edit, submitted at another peer, executes what it does on one machine", async () => {
    place.write("between.ts", BETWEEN);
    const rows: readonly (readonly [string, Edit, readonly string[], number, number])[] = [
      ["first run", {}, [], 8, 0],
      ["again", {}, [], 0, 8],
      ["comment", { comment: "// another" }, [], 0, 8],
      ["unused helper", { helper: "function unused() { return 1; }" }, [], 0, 8],
      ["retry option", { retry: 2 }, [], 0, 8],
      ["constant two imports away", { scale: 3 }, [], 8, 0],
      ["and back", {}, [], 0, 8],
      ["body of mean", { mean: "(sum + 0) / fits.length" }, [], 1, 7],
      ["parameter that mean reads", {}, ["-p", "k=2"], 1, 7],
      ["parameter that load reads", {}, ["-p", "n=7"], 3, 6],
    ];
    for (const [at, [what, edit, argv, executed, reused]] of rows.entries()) {
      place.write("shared.ts", SHARED(edit.scale ?? 2));
      const file = place.flow("sweep.ts", source(edit));
      const { tasks } = await place
        .peer(at % 3)
        .json<RunJson>(["submit", file, ...argv, "--no-check", "--json"]);
      assert.deepEqual([tasks.executed, tasks.reused], [executed, reused], what);
    }
  });

  test("one flow from three peers at once: each task is executed once", async () => {
    const said = join(place.root, "said.txt");
    const file = place.flow("counted.ts", counted(said));
    const runs = await Promise.all(
      [0, 1, 2, 0, 1, 2].map((peer) =>
        place.peer(peer).json<RunJson>(["submit", file, "--no-check", "--json"]),
      ),
    );
    assert.deepEqual([...new Set(runs.map(({ state }) => state))], ["succeeded"]);
    const lines = readFileSync(said, "utf8").trimEnd().split("\n");
    assert.deepEqual(lines.length, 14, lines.join(" "));
    assert.equal(
      runs.reduce((sum, { tasks }) => sum + tasks.executed, 0),
      14,
    );
    for (const peer of place.peers)
      assert.equal(await peer.json(["get", `${runs[0]?.run}/sum/total`]), 66);
  });

  test("--rerun executes a step again and says what came of it; --no-cache executes all", async () => {
    const file = place.flow("sweep.ts", source({}));
    const argv = ["submit", file, "--no-check"];
    const again = await place.peer(1).mf([...argv, "--rerun", "fit"]);
    assert.equal(again.code, 0, again.err);
    assert.match(again.out, /6 executed, 2 reused/);
    assert.match(again.out, /^fit ran again and came to the same: 1 task behind it reused$/m);
    const wrong = await place.peer(2).mf([...argv, "--rerun", "fti", "--json"]);
    assert.equal(wrong.code, 2);
    const { code, message, remedy } = errorOf(wrong);
    assert.deepEqual(
      [code, message, remedy],
      ["STEP_UNKNOWN", 'Flow "sweep" has no step "fti".', "It has: load, fit, mean."],
    );
    const all = await place.peer(0).json<RunJson>([...argv, "--no-cache", "--json"]);
    assert.deepEqual([all.tasks.executed, all.tasks.reused], [8, 0]);
  });
});
