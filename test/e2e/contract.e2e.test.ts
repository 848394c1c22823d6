/** The documents that other programs build on: their form, exactly, and the exit codes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

const SQUARES = `const squares = flow("squares", { n: p.number(3) });
const list = squares.step("list", squares.params, ({ n }) => ({
  xs: Array.from({ length: n }, (_, i) => i), raw: new Uint8Array([1, 2, 3]), t: new Float64Array([1.5, 2]),
}));
const square = squares.step("square", { x: each(list.xs) }, ({ x }) => { console.log("x is", x); return { y: x * x }; });
squares.step("sum", { ys: collect(square.y) }, ({ ys }) => ({ sum: ys.reduce((s, y) => s + y, 0), at: new Date(0) }));
export default squares;`;

describe("documents of the commands", () => {
  const place = new MfPlace();
  let file = "";
  let first: Record<string, unknown> = {};
  before(async () => {
    file = place.flow("squares.ts", SQUARES);
    first = (await place.json(["run", file, "--json"])) as Record<string, unknown>;
  });
  after(() => place.dispose());

  test("run --json ends with one object of four names", () => {
    assert.deepEqual(Object.keys(first), ["run", "state", "durationMs", "tasks"]);
    assert.match(String(first["run"]), /^squares\/[0-9a-z]{10}$/);
    assert.equal(first["state"], "succeeded");
    assert.ok(Number.isInteger(first["durationMs"]));
    assert.deepEqual(first["tasks"], { total: 5, succeeded: 5, failed: 0, reused: 0, executed: 5 });
  });

  test("the same run again executes nothing and says so; another parameter executes what reads it", async () => {
    const again = await place.mf(["run", file]);
    assert.equal(again.code, 0);
    assert.match(again.out, /succeeded in .*; nothing to do: all 5 tasks were reused/);
    const more = (await place.json(["run", file, "-p", "n=4", "--json"])) as typeof first;
    // The first three elements are what they were.
    assert.deepEqual(more["tasks"], { total: 6, succeeded: 6, failed: 0, reused: 3, executed: 3 });
  });

  test("status --json names run, steps and attempts", async () => {
    const run = String(first["run"]);
    const step = (name: string, total: number) => ({
      name,
      state: "succeeded",
      tasks: { total, succeeded: total, failed: 0, reused: 0, running: 0 },
      peers: { local: total },
    });
    assert.deepEqual(await place.json(["status", run, "--json"]), {
      run,
      flow: "squares",
      state: "succeeded",
      owner: "local",
      sealed: true,
      steps: [step("list", 1), step("square", 3), step("sum", 1)],
      attempts: { total: 5, lost: 0, failed: 0 },
    });
  });

  test("ls-versions --json lists versions newest first with exactly seven names", async () => {
    const rows = (await place.json(["ls-versions", "squares/sum", "--json"])) as Record<
      string,
      unknown
    >[];
    assert.ok(rows.length >= 2);
    const names = ["artifact", "at", "by", "bytes", "id", "peers", "run"];
    for (const row of rows) {
      assert.deepEqual(Object.keys(row).sort(), names);
      assert.deepEqual([row["by"], row["peers"]], ["local", ["local"]]);
    }
    const times = rows.map((row) => Number(row["at"]));
    assert.deepEqual(
      times,
      [...times].sort((a, b) => b - a),
    );
    assert.ok(rows.some((row) => row["run"] === first["run"]));
  });

  test("get prints JSON; -o writes bytes as they are and other values as JSON; --as npy writes a typed array", async () => {
    const run = String(first["run"]);
    assert.equal(await place.json(["get", `${run}/sum/sum`]), 5);
    assert.equal(await place.json(["get", `${run}/sum/at`]), "1970-01-01T00:00:00.000Z");
    assert.equal(await place.json(["get", `${run}/square[2]/y`]), 4);
    assert.equal(await place.json(["get", `${run}/list/raw`]), "AQID");
    const saved = async (argv: string[]): Promise<Buffer> => {
      const target = join(place.root, "saved");
      assert.equal((await place.mf(["get", ...argv, "-o", target, "--force"])).code, 0);
      return readFileSync(target);
    };
    assert.deepEqual([...(await saved([`${run}/list/raw`]))], [1, 2, 3]);
    assert.deepEqual(JSON.parse((await saved([`${run}/list/t`])).toString()), [1.5, 2]);
    const npy = await saved([`${run}/list/t`, "--as", "npy"]);
    assert.equal(npy.toString("latin1", 1, 6), "NUMPY");
  });

  test("get c:ID reads a structured value by its codec", async () => {
    const rows = (await place.json(["ls-versions", "squares/sum/sum", "--json"])) as {
      id: string;
      run: string;
    }[];
    const row = rows.find(({ run }) => run === first["run"]);
    assert.equal(await place.json(["get", `c:${row?.id}`]), 5);
  });

  test("a pipe gets tab-separated rows with times that sort", async () => {
    const { out } = await place.mf(["ls"]);
    const [head, ...rows] = out.trim().split("\n");
    assert.equal(head, "run\tstate\ttasks\treused\ttook\tstarted\tuser");
    for (const row of rows) assert.match(row.split("\t")[5] ?? "", /^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test("logs of a task are its lines only, with the attempt counted from 0", async () => {
    const run = String(first["run"]);
    const { out } = await place.mf(["logs", `${run}/square[1]`]);
    assert.equal(out, "square[1]  x is 1\n");
    const line = (await place.json(["logs", `${run}/square[2]`, "--json"])) as object;
    assert.deepEqual(
      { ...line, at: 0 },
      { at: 0, step: "square", index: [2], attempt: 0, stream: "out", text: "x is 2" },
    );
  });

  test("what is not there is an error in JSON on stderr with exit code 3", async () => {
    for (const argv of [
      ["status", "squares/zzzzzzzzzz"],
      ["get", "nothing/latest/a/b"],
      ["get", `${String(first["run"])}/sum/other`],
      ["get", `${String(first["run"])}/other/sum`],
      ["logs", `${String(first["run"])}/other`],
    ]) {
      const outcome = await place.mf([...argv, "--json"]);
      assert.equal(outcome.code, 3, argv.join(" "));
      assert.equal(outcome.out, "");
      assert.deepEqual(Object.keys(errorOf(outcome)), ["code", "message", "remedy"]);
    }
    const usage = await place.mf(["get", "squares", "--as", "xml", "--json"]);
    assert.deepEqual([usage.code, errorOf(usage).code], [2, "USAGE"]);
  });

  test("a diagram is drawn in every form, of a file and of a run", async () => {
    const beginnings = {
      mermaid: /flowchart/,
      dot: /digraph/,
      svg: /<svg/,
      html: /<!doctype html/i,
    };
    for (const [form, beginning] of Object.entries(beginnings)) {
      const target = join(place.root, `drawn.${form}`);
      assert.equal((await place.mf(["show", file, "--as", form, "-o", target])).code, 0);
      assert.match(readFileSync(target, "utf8"), beginning);
    }
    const { code, out } = await place.mf(["show", String(first["run"])]);
    assert.equal(code, 0);
    assert.match(out, /square.*3\/3/);
  });
});
