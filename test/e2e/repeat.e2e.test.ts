/** Runs repeated as people do it: without their source files, on another peer, with today's code; and what is said when it cannot be. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MeshPlace } from "../support/mesh-place.ts";
import { errorOf, MfPlace } from "../support/mf-process.ts";

interface RunJson {
  readonly run: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly reused: number; readonly executed: number };
}

interface LabelledRow {
  readonly run: string;
  readonly tags: readonly string[];
  readonly project?: string;
  readonly branch?: string;
  readonly origin?: { readonly run: string };
}

interface VerifyJson extends RunJson {
  readonly verify: {
    readonly origin: string;
    readonly identical: number;
    readonly different: number;
    readonly incomparable: number;
    readonly diverged: readonly string[];
    readonly first: { readonly task: string; readonly difference: object | null } | null;
    readonly findings: readonly { readonly task: string; readonly own: boolean }[];
  };
}

const hasPython = spawnSync("python3", ["-c", "pass"]).status === 0;

const STEADY = `import { collect, each, flow, p } from "meshflow";
const steady = flow("steady", { n: p.number(4), note: p.file("note.txt") });
const list = steady.step("list", steady.params, async ({ n, note }) => ({
  text: await note.text(), xs: Array.from({ length: n }, () => 7) }));
const draw = steady.step("draw", { x: each(list.xs) }, ({ x }, ctx) => ({ y: x + ctx.random() }));
${hasPython ? 'const py = steady.python<{ z: number }>("py", { n: list.xs }, { file: "draws.py", fn: "draws" });' : "const py = list;"}
steady.step("sum", { ys: collect(draw.y), text: list.text, py }, ({ ys, text }) => ({ total: ys, text }));
export default steady;
`;
const PYTHON = `import random
def draws(n):
    return {"z": [random.random() for _ in n], "words": list({"a", "b", "c", "d", "e"})}
`;
const FLAKY = `import { flow } from "meshflow";
const flaky = flow("flaky");
const list = flaky.step("list", {}, () => ({ xs: [1, 2, 3] }));
const dice = flaky.step("dice", { xs: list.xs }, ({ xs }) => ({ z: xs.map((x) => x + Math.random()), same: 1 }));
const clock = flaky.step("clock", { xs: list.xs }, ({ xs }) => ({ at: Date.now() + xs.length }));
flaky.step("sum", { z: dice.z, at: clock.at }, ({ z, at }) => ({ total: z.length + at }));
export default flaky;
`;
const BROKEN = `import { flow, p } from "meshflow";
const odd = flow("odd", { n: p.number(3), old: p.string("x") });
const a = odd.step("a", { n: odd.params.n }, ({ n }) => ({ x: n * 2 }), );
const b = odd.step("b", { old: odd.params.old }, { cache: false }, ({ old }) => ({ y: old + String(process.hrtime.bigint()) }));
odd.step("c", { x: a.x, y: b.y }, ({ x, y }) => { if (x > 1) throw new Error("not yet"); return { x, y }; });
export default odd;
`;
const fixed = (params: string): string =>
  BROKEN.replace('if (x > 1) throw new Error("not yet"); ', "").replace(
    /\{ n: p\..*\}\);/,
    `${params});`,
  );

describe("on a mesh of two", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(2, ["--cpus", "1"]);
  });
  after(() => place.dispose());

  test("a run without its sources is executed again on the other peer: all identical", async () => {
    const [a, b] = [place.peer(0), place.peer(1)];
    place.write("note.txt", "from a file");
    place.write("draws.py", PYTHON);
    const file = place.write("steady.ts", STEADY);
    const { run } = await a.json<RunJson>(["submit", file, "--seed", "5", "--json", "--no-check"]);
    for (const name of ["steady.ts", "note.txt", "draws.py"])
      rmSync(join(place.root, "flows", name));
    const again = await b.json<VerifyJson>(["rerun", run, "--verify", "--json"]);
    assert.equal(again.tasks.executed, again.tasks.total);
    assert.deepEqual(again.verify.findings, []);
    assert.equal(again.verify.first, null);
    assert.equal(again.verify.origin, run);
    const latest = await a.json<{ run: string }>(["status", "steady/latest", "--json"]);
    assert.equal(latest.run, run, "a run that verifies is not the latest");
    const more = await b.json<RunJson>(["rerun", run, "-p", "n=5", "--json"]);
    assert.equal(more.tasks.total, hasPython ? 8 : 7);
  });

  test("chance and the clock are named, the first of them first; the origin stays what it was", async () => {
    const [a, b] = [place.peer(0), place.peer(1)];
    const file = place.write("flaky.ts", FLAKY);
    const { run } = await a.json<RunJson>(["submit", file, "--json", "--no-check"]);
    rmSync(file);
    const values = async (): Promise<unknown> => [
      await a.json(["get", `${run}/dice/z`]),
      await b.json(["get", `${run}/clock/at`]),
    ];
    const before = await values();
    const outcome = await b.mf(["rerun", run, "--verify", "--json"]);
    assert.equal(outcome.code, 1);
    const again = JSON.parse(outcome.out) as VerifyJson;
    assert.deepEqual(again.verify.diverged, ["dice", "clock"]);
    assert.equal(again.verify.first?.task, "dice");
    assert.ok(again.verify.first?.difference !== null);
    assert.deepEqual([again.verify.identical, again.verify.different], [2, 3]);
    assert.deepEqual(await values(), before);
    assert.notDeepEqual(await b.json(["get", `${again.run}/dice/z`]), (before as unknown[])[0]);
    const { code, out, err } = await a.mf(["rerun", run, "--verify"]);
    assert.equal(code, 1);
    assert.match(out, /^dice\tz\tdifferent\t/m);
    assert.match(err, /^first to diverge: dice\/z: .*3 of 3 numbers differ/m);
    assert.match(err, /^also not repeatable: clock$/m);
  });

  test("a failed run is resumed on the other peer with today's code, and detached", async () => {
    const [a, b] = [place.peer(0), place.peer(1)];
    const file = place.write("odd.ts", BROKEN);
    const failed = await a.mf(["submit", file, "--json", "--no-check", "-p", "n=4"]);
    assert.equal(failed.code, 1, failed.err);
    const { run } = JSON.parse(failed.out) as RunJson;
    place.write("odd.ts", fixed('{ n: p.number(3), old: p.string("x") }'));
    const detached = await b.json<RunJson>([
      "resume",
      run,
      file,
      "--no-check",
      "--detach",
      "--json",
      "--tag",
      "mended",
      "--project",
      "plants",
      "--production",
    ]);
    const watched = await a.json<RunJson>(["watch", detached.run, "--json"]);
    assert.equal(watched.state, "succeeded");
    assert.equal(await a.json(["get", `${detached.run}/c/x`]), 8);
    const rows = await b.json<LabelledRow[]>(["ls", "odd", "--tag", "mended", "--json"]);
    assert.deepEqual(
      rows.map((row) => [row.run, row.project, row.branch, row.origin?.run]),
      [[detached.run, "plants", "prod", run]],
    );
  });

  test("the peer that submitted it is gone: what its run was made of is not", async () => {
    const [a, b] = [place.peer(0), place.peer(1)];
    const { run } = await b.json<RunJson>(["status", "steady/latest", "--json"]);
    await a.kill();
    const again = await b.json<VerifyJson>(["rerun", run, "--verify", "--json"]);
    assert.equal(again.tasks.executed, again.tasks.total);
    assert.deepEqual(again.verify.findings, []);
  });
});

describe("in one process, with no daemon", () => {
  const place = new MfPlace();
  after(() => place.dispose());
  let run = "";

  test("what succeeded is reused, also of a step that is not cached; today's flow may have other parameters", async () => {
    const file = place.write("odd.ts", BROKEN);
    const failed = await place.mf(["run", file, "--json", "--no-check", "-p", "n=4"]);
    assert.equal(failed.code, 1, failed.err);
    run = (JSON.parse(failed.out) as RunJson).run;
    const stored = await place.mf(["resume", "odd", "--json"]);
    assert.equal(stored.code, 1, "the stored code fails again");
    assert.deepEqual((JSON.parse(stored.out) as RunJson).tasks.reused, 2);
    const resume = ["resume", run, "odd.ts", "--no-check", "--json"];
    place.write("odd.ts", fixed("{ n: p.number(3), old: p.string('x'), more: p.number() }"));
    const needs = await place.mf(resume);
    assert.deepEqual([needs.code, errorOf(needs).code], [2, "PARAM_MISSING"]);
    assert.match(errorOf(needs).message, /"more" \(number, which odd\/\w+ was not given\)/);
    const given = (await place.json([...resume, "-p", "more=1"])) as RunJson;
    assert.deepEqual([given.tasks.reused, given.tasks.executed], [2, 1]);
    place.write(
      "odd.ts",
      fixed("{ old: p.string('x') }").replaceAll("odd.params.n", "odd.value(2)"),
    );
    const gone = await place.mf(resume);
    assert.deepEqual([gone.code, errorOf(gone).code], [2, "PARAM_UNKNOWN"]);
    assert.match(errorOf(gone).remedy, /was given n=4/);
  });

  test("tags, project and branch are the new run's; what is not typed is the run's", async () => {
    const env = { MF_PROJECT: "elsewhere", MF_BRANCH: "theirs" };
    place.write("odd.ts", BROKEN.replace("x > 1", "x > 8"));
    const first = [
      "run",
      "odd.ts",
      "--json",
      "--no-check",
      "--project",
      "plants",
      "--branch",
      "b1",
    ];
    const origin = (await place.json(first)) as RunJson;
    const rowOf = async (argv: readonly string[]): Promise<unknown> => {
      const outcome = await place.mf([...argv, "--json"], env);
      assert.equal(outcome.code, 0, outcome.err);
      const made = (JSON.parse(outcome.out) as RunJson).run;
      const rows = (await place.json(["ls", "odd", "--json"])) as LabelledRow[];
      const row = rows.find((each) => each.run === made);
      return [row?.tags, row?.project, row?.branch, row?.origin?.run === origin.run];
    };
    assert.deepEqual(await rowOf(["rerun", origin.run, "--tag", "again"]), [
      ["again"],
      "plants",
      "b1",
      true,
    ]);
    const onto = ["resume", origin.run, "--tag", "x", "--tag", "y", "--production"];
    assert.deepEqual(await rowOf(onto), [["x", "y"], "plants", "prod", true]);
    const moved = ["rerun", origin.run, "--project", "crops", "--branch", "b2"];
    assert.deepEqual(await rowOf(moved), [[], "crops", "b2", true]);
    const wrong = await place.mf(["rerun", origin.run, "--tag", "user:ada"]);
    assert.deepEqual([wrong.code, /TAG_RESERVED|own/.test(wrong.err)], [2, true]);
  });

  test("what cannot be is said exactly", async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [["resume", run, "--from", "d"], 2, /no step "d"[^]*It has: a, b, c\./],
      [["resume", "odd/nothing"], 3, /There is no run odd\/nothing/],
      [["resume", run, "-p", "n=1"], 2, /mf rerun odd\/\w+ -p name=value/],
      [["rerun", run, "-p", "n=many"], 2, /expected a number/],
      [["rerun", "odd", "-p", "m=1"], 2, /Did you mean "n"\?/],
      [["rerun", run, "--verify", "-p", "n=1", "--seed", "2"], 2, /-p and --seed cannot be given/],
      [["rerun", run, "--verify", "--detach"], 2, /compares when the run has ended/],
      [["rerun", run, "--detach"], 4, /No daemon runs/],
      [["rerun"], 2, /missing required argument/i],
    ];
    for (const [argv, code, text] of cases) {
      const outcome = await place.mf(argv);
      assert.equal(outcome.code, code, `mf ${argv.join(" ")}: ${outcome.err}`);
      assert.match(outcome.err, text);
    }
  });

  test("a run that fails again is told from one that differs", async () => {
    const outcome = await place.mf(["rerun", run, "--verify", "--json"]);
    assert.equal(outcome.code, 1);
    const again = JSON.parse(outcome.out) as VerifyJson;
    assert.equal(again.state, "failed");
    assert.deepEqual(again.verify.diverged, ["b"]);
  });
});
