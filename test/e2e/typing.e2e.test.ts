/** What people type who know other tools, and what they type wrong: commands agree with each other and say what to do instead. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openClient } from "../../src/client/index.ts";
import { MfPlace } from "../support/mf-process.ts";

const SWEEP = `const sweep = flow("sweep", { n: p.number(2) });
const load = sweep.step("load", sweep.params, ({ n }) => ({ xs: Array.from({ length: n }, (_, i) => i) }));
sweep.step("fit", { x: each(load.xs) }, ({ x }) => ({ loss: x * 2 }));
export default sweep;`;

describe("typing", () => {
  const place = new MfPlace();
  before(async () => {
    const file = place.flow("sweep.ts", SWEEP);
    assert.equal((await place.mf(["run", "--no-check", file, "--tag", "best"])).code, 0);
  });
  after(() => place.dispose());

  test("a file where a directory is wanted is told, and stays", async () => {
    const file = join(place.root, "taken");
    writeFileSync(file, "mine");
    for (const output of [`${file}/`, join(file, "below/"), join(file, "below.json")]) {
      const { code, err } = await place.mf(["get", "sweep/latest/fit", "-o", output]);
      assert.equal(code, 2, err);
      assert.match(err, /cannot be written: a file is there/);
    }
    assert.equal(readFileSync(file, "utf8"), "mine");
  });

  test("export replaces a file only when told to, as get does", async () => {
    const file = join(place.root, "sweep.mfpack");
    writeFileSync(file, "mine");
    const refused = await place.mf(["export", "sweep/latest", "-o", file]);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /exists\. To replace it pass --force\.\n {2}See `mf export --help`/);
    assert.equal(readFileSync(file, "utf8"), "mine");
    assert.equal((await place.mf(["export", "sweep/latest", "-o", file, "--force"])).code, 0);
    const folder = join(place.root, "folder");
    mkdirSync(folder);
    const isFolder = await place.mf(["export", "sweep/latest", "-o", folder]);
    assert.match(isFolder.err, /it is a directory/);
  });

  test("ls-versions takes the run by --run, in every form, and says so", async () => {
    const list = async (...argv: string[]): Promise<unknown[]> =>
      (await place.json(["ls-versions", ...argv, "--json"])) as unknown[];
    assert.equal((await list("sweep/fit", "--run", "latest")).length, 2);
    assert.equal((await list("sweep/fit", "--run", "@best")).length, 2);
    assert.equal((await list("--run", "sweep/latest")).length, 3);
    const inside = await place.mf(["ls-versions", "sweep/latest/fit"]);
    assert.equal(inside.code, 2);
    assert.match(inside.err, /without a run; --run chooses one/);
    assert.match((await place.mf(["ls-versions", "--run", "latest"])).err, /--run flow\/latest/);
  });

  test("columns of a pipe are called as they are in --columns and --json", async () => {
    const { out } = await place.mf([
      "ls-versions",
      "sweep",
      "--columns",
      "artifact,seenAt,lastRun",
    ]);
    assert.equal(out.split("\n")[0], "artifact\tseenAt\tlastRun");
  });

  test("an empty list says what is empty", async () => {
    assert.equal((await place.mf(["ls", "nosuch"])).err, "no runs of flow nosuch\n");
    assert.equal((await place.mf(["ls", "--user", "nobody"])).err, "nothing fits\n");
    assert.equal((await place.mf(["pin"])).err, "nothing is pinned\n");
    assert.equal((await place.mf(["tag", "nosuch"])).err, "no run has a tag\n");
    assert.match((await place.mf(["pin", "sweep/latest/fit/loss"])).out, /^2 artifacts are kept\n/);
  });

  test("a step that a run does not have, or a flow alone, is told in words", async () => {
    const gone = await place.mf(["get", "sweep/latest/nosuch/x"]);
    assert.match(gone.err, /sweep\/\w+ has no finished task of that name/);
    assert.match((await place.mf(["status", "sweep"])).err, /named flow\/run, as in sweep\/latest/);
  });

  test("a run that verifies is the latest for no command and for no script", async () => {
    const { run } = (await place.json(["status", "sweep/latest", "--json"])) as { run: string };
    assert.equal((await place.mf(["rerun", run, "--verify"])).code, 0);
    assert.equal(((await place.json(["ls", "sweep", "--json"])) as unknown[]).length, 2);
    const client = await openClient({ home: place.home });
    try {
      const flow = client.flow("sweep");
      assert.equal((await client.run("sweep/latest")).pathspec, run);
      assert.equal((await flow.latestRun())?.pathspec, run);
      assert.equal((await flow.latestSuccessfulRun())?.pathspec, run);
    } finally {
      await client.close();
    }
  });

  test("the shell completes runs, flows, tags and choices", async () => {
    const { out: script } = await place.mf(["completion", "bash"]);
    const bin = join(place.root, "bin");
    mkdirSync(bin);
    const tags = "printf 'tag\\trun\\nbest\\tsweep/k3\\n'";
    writeFileSync(
      join(bin, "mf"),
      `#!/bin/sh\nif [ "$1" = tag ]; then ${tags}; else echo sweep/k3; fi\n`,
      { mode: 0o755 },
    );
    const complete = (...words: string[]): string[] => {
      const array = words.map((word) => `'${word}'`).join(" ");
      const run = `${script}\nCOMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}; _mf; echo "\${COMPREPLY[@]}"`;
      const env = { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
      return execFileSync("bash", ["-c", run], { encoding: "utf8", env }).trim().split(" ");
    };
    for (const command of ["why", "diff", "verify", "export", "rm", "pin", "rerun"])
      assert.deepEqual(complete("mf", command, "sweep/"), ["sweep/k3", "sweep/latest"]);
    assert.deepEqual(complete("mf", "ls-versions", "s"), ["sweep"]);
    assert.deepEqual(complete("mf", "ls", "--tag", ""), ["best"]);
    assert.deepEqual(complete("mf", "gc", "--flow", "s"), ["sweep"]);
    assert.deepEqual(complete("mf", "get", "x", "--as", "n"), ["npy"]);
    assert.deepEqual(complete("mf", "ls", "--state", "fail"), ["failed"]);
    assert.deepEqual(complete("mf", "rerun", "--ver"), ["--verify"]);
    assert.deepEqual(complete("mf", "rer"), ["rerun"]);
  });
});
