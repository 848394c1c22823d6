/** What a newcomer meets first: init, help, version, doctor, completion. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

describe("first use", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  test("init writes a flow that type-checks and runs, and never overwrites", async () => {
    const directory = join(place.root, "lab");
    assert.equal((await place.mf(["init", directory])).code, 0);
    const file = join(directory, "hello.ts");
    assert.equal((await place.mf(["run", file])).code, 0);
    assert.equal(await place.json(["get", "hello/latest/greet/text"]), "Hello, WORLD!");
    const again = await place.mf(["init", directory, "--json"]);
    assert.deepEqual([again.code, errorOf(again).code], [2, "USAGE"]);
  });

  test("the Python template type-checks, and runs where Python is", async () => {
    const directory = join(place.root, "python");
    assert.equal((await place.mf(["init", directory, "--template", "python"])).code, 0);
    const file = join(directory, "statistics.ts");
    const check = await place.mf(["check", file]);
    assert.equal(check.code, 0, check.err);
    const { code, err } = await place.mf(["run", file, "--json"]);
    if (code !== 0) assert.match(err, /PYTHON_MISSING/);
    else
      assert.equal(typeof (await place.json(["get", "statistics/latest/describe/mean"])), "number");
  });

  test("help and version go to stdout; an unknown command or option is USAGE", async () => {
    const help = await place.mf(["--help"]);
    assert.equal(help.code, 0);
    for (const name of ["run", "check", "show", "ls", "status", "logs", "ls-versions", "get"])
      assert.match(help.out, new RegExp(`\\n  ${name} `));
    assert.match((await place.mf(["version"])).out, /^mf \d+\.\d+\.\d+ \(Node\.js v/);
    for (const argv of [["rnu"], ["run"], ["ls", "--nonsense"]]) {
      const outcome = await place.mf([...argv, "--json"]);
      assert.deepEqual([outcome.code, errorOf(outcome).code], [2, "USAGE"], argv.join(" "));
    }
  });

  test("doctor finds this machine fit", async () => {
    const { ok, checks } = (await place.json(["doctor", "--json"])) as {
      ok: boolean;
      checks: { name: string }[];
    };
    assert.equal(ok, true);
    assert.deepEqual(
      checks.map((check) => check.name),
      ["Node.js", "Python", "store", "disk"],
    );
  });

  test("the completion script is bash that completes commands and options", async () => {
    const { out } = await place.mf(["completion", "bash"]);
    const ask = (words: string, at: number): string[] =>
      execFileSync("bash", [
        "-c",
        `${out}\nCOMP_WORDS=(${words}); COMP_CWORD=${at}; _mf; echo "\${COMPREPLY[@]}"`,
      ])
        .toString()
        .trim()
        .split(" ");
    assert.deepEqual(ask("mf ls", 1), ["ls", "ls-versions"]);
    assert.deepEqual(ask("mf get --as", 2), ["--as"]);
    for (const shell of ["zsh", "fish"])
      assert.equal((await place.mf(["completion", shell])).code, 0);
  });
});
