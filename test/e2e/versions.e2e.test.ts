/** `mf ls-versions` and `mf diff` as people type them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

const flowWith = (rate: number): string => `const rate = ${rate};
const lab = flow("lab", { n: p.number(3) });
const load = lab.step("load", lab.params, ({ n }) => ({ xs: Array.from({ length: n }, (_, i) => i), same: "same" }));
const fit = lab.step("fit", { x: each(load.xs) }, ({ x }) => ({ loss: x * rate }));
lab.step("best", { all: collect(fit.loss) }, ({ all }) => ({ best: Math.max(...all) }));
export default lab;`;

describe("versions and differences", () => {
  const place = new MfPlace();
  const runs: string[] = [];
  before(async () => {
    for (const [rate, n] of [
      [0.5, 3],
      [0.5, 3],
      [0.25, 4],
    ] as const) {
      const file = place.flow("lab.ts", flowWith(rate));
      const argv = ["run", file, "--no-check", "-q", "-p", `n=${n}`];
      runs.push((await place.mf(argv, { MF_USER: n === 3 ? "ada" : "bob" })).out.trim());
    }
  });
  after(() => place.dispose());

  test("a flow at a glance has its artifacts and its code, each name once", async () => {
    const { out } = await place.mf(["ls-versions", "lab"]);
    const rows = out
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t").slice(0, 2).join(" "));
    assert.deepEqual(rows.sort(), [
      "lab/best/best 2",
      "lab/code:best 1",
      "lab/code:fit 2",
      "lab/code:load 1",
      "lab/fit/loss 5",
      "lab/load/same 1",
      "lab/load/xs 2",
    ]);
  });

  test("rows say who made a version first, and in how many runs it is", async () => {
    const columns = "artifact,run,user,seen,lastRun";
    const argv = ["ls-versions", "lab/load/same", "--json", "--columns", columns];
    assert.deepEqual(await place.json(argv), [
      { artifact: "lab/load/same", run: runs[0], user: "ada", seen: 3, lastRun: runs[2] },
    ]);
    const bobs = ["ls-versions", "lab/best", "--json", "--user", "bob", "--param", "n=4"];
    assert.equal(((await place.json(bobs)) as unknown[]).length, 1);
    const [id = ""] = (await place.mf(["ls-versions", "lab/best/best", "-q", "-n", "1"])).out.split(
      "\n",
    );
    assert.equal(await place.json(["get", `c:${id}`]), 0.75);
  });

  test("nonsense is refused with a next step", async () => {
    for (const [argv, code, exit] of [
      [["ls-versions", "a//b"], "PATHSPEC_INVALID", 2],
      [["ls-versions", "--since", "yesterdayish"], "USAGE", 2],
      [["ls-versions", "--columns", "colour"], "USAGE", 2],
      [["ls-versions", "--param", "n"], "USAGE", 2],
      [["diff", "lab/zzz", "lab/latest"], "RUN_NOT_FOUND", 3],
      [["diff", "lab/latest", "lab/latest/load/xs"], "PATHSPEC_INVALID", 2],
    ] as const) {
      const outcome = await place.mf([...argv, "--json"]);
      assert.equal(outcome.code, exit, argv.join(" "));
      assert.equal(errorOf(outcome).code, code);
    }
  });

  test("diff exits with 0 where runs are equal, with 1 where they differ and with what", async () => {
    const [first = "", again = "", other = ""] = runs;
    assert.deepEqual(await place.json(["diff", first, again, "--json"]).then(sameOf), true);
    const quiet = await place.mf(["diff", first, other, "--quiet"]);
    assert.deepEqual([quiet.code, quiet.out], [1, ""]);
    const { code, out } = await place.mf(["diff", first, other]);
    assert.equal(code, 1);
    for (const line of [
      /^parameters\tn\tchanged\t3\t4/m,
      /^code\tfit\tchanged\t.*constant rate changed/m,
      /^artifacts\tbest\/best\tchanged\t.*1 → 0\.75 \(-0\.25, -25 %\)/m,
      /^artifacts\tfit\[3\]\/loss\tonly-b/m,
    ])
      assert.match(out, line);
    assert.doesNotMatch(out, /load\/same/);
    assert.doesNotMatch((await place.mf(["diff", first, other, "--step", "load"])).out, /fit/);
  });
});

function sameOf(report: unknown): boolean {
  return (report as { same: boolean }).same;
}
