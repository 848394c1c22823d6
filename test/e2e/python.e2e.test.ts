/** Python steps: what they return, and what is said where the interpreter, the script or the value is wrong. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

const PYTHON = process.env["MF_PYTHON"] ?? "python3";

function hasPython(): boolean {
  try {
    execFileSync(PYTHON, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function flowOf(name: string, fn: string, out = ""): string {
  return `const f = flow("${name}");
const a = f.step("a", {}, () => ({ xs: [1, 2, 3] }));
f.python("describe", { xs: a.xs }, { file: "describe.py", fn: "${fn}"${out} });
export default f;`;
}

const SCRIPT = `
def describe(xs):
    print("describing", len(xs))
    return {"total": sum(xs)}

def fails(xs):
    return inner(xs)

def inner(xs):
    raise ValueError("no such luck")

def wrong(xs):
    return {"total": "many"}
`;

describe("Python steps", { skip: hasPython() ? false : "Python is not installed" }, () => {
  const place = new MfPlace();
  const env = { MF_PYTHON: PYTHON };
  place.write("describe.py", SCRIPT);
  after(() => place.dispose());

  test("a Python step's value is stored and its prints are its log", async () => {
    const file = place.flow("good.ts", flowOf("good", "describe"));
    const { code, err } = await place.mf(["run", file], env);
    assert.equal(code, 0, err);
    assert.equal(await place.json(["get", "good/latest/describe/total"]), 6);
    assert.match((await place.mf(["logs", "good/latest/describe"])).out, /describing 3/);
  });

  test("an exception shows the traceback with the user's frames", async () => {
    const file = place.flow("fails.ts", flowOf("fails", "fails"));
    const { code, err } = await place.mf(["run", file], env);
    assert.equal(code, 1);
    assert.match(err, /error STEP_THREW: step describe: .*no such luck/);
    assert.match(err, /describe\.py", line 10, in inner/);
  });

  test("a value that the schema refuses is PYTHON_OUTPUT_INVALID", async () => {
    const schema = `{ "~standard": { version: 1 as const, vendor: "test",
  validate: (value: unknown) => typeof (value as { total: unknown }).total === "number"
    ? { value: value as { total: number } } : { issues: [{ message: "total is no number" }] } } }`;
    const file = place.flow("wrong.ts", flowOf("wrong", "wrong", `, out: ${schema}`));
    const outcome = await place.mf(["run", file, "--json"], env);
    assert.deepEqual([outcome.code, errorOf(outcome).code], [1, "PYTHON_OUTPUT_INVALID"]);
    assert.match(errorOf(outcome).message, /total is no number/);
  });

  test("a package that is missing is told with the step that needs it, not its function", async () => {
    place.write("lacking.py", `import package_nobody_has\n${SCRIPT}`);
    const text = flowOf("lacking", "fails").replace("describe.py", "lacking.py");
    const outcome = await place.mf(["run", place.flow("lacking.ts", text), "--json"], env);
    assert.deepEqual([outcome.code, errorOf(outcome).code], [1, "PYTHON_PACKAGE_MISSING"]);
    assert.match(errorOf(outcome).message, /^Python step "describe" needs package_nobody_has/);
  });

  test("a script and a function that are not there are told before anything runs", async () => {
    const noFile = place.flow(
      "nofile.ts",
      flowOf("nofile", "describe").replace("describe.py", "nowhere.py"),
    );
    const first = await place.mf(["run", noFile, "--json"], env);
    assert.deepEqual([first.code, errorOf(first).code], [2, "PYTHON_FILE_MISSING"]);
    const noFunction = place.flow("nofn.ts", flowOf("nofn", "absent"));
    const second = await place.mf(["run", noFunction, "--json"], env);
    assert.deepEqual([second.code, errorOf(second).code], [2, "PYTHON_FUNCTION_MISSING"]);
  });
});

describe("no Python", () => {
  const place = new MfPlace();
  place.write("describe.py", SCRIPT);
  after(() => place.dispose());

  test("is PYTHON_MISSING with what to install, and flows without Python steps do not mind", async () => {
    const env = { MF_PYTHON: "/nonexistent/python" };
    const file = place.flow("good.ts", flowOf("good", "describe"));
    const outcome = await place.mf(["run", file, "--json"], env);
    assert.deepEqual([outcome.code, errorOf(outcome).code], [1, "PYTHON_MISSING"]);
    assert.match(errorOf(outcome).message, /\/nonexistent\/python/);
    const plain = place.flow(
      "plain.ts",
      `const f = flow("plain"); f.step("a", {}, () => ({ x: 1 })); export default f;`,
    );
    assert.equal((await place.mf(["run", plain], env)).code, 0);
  });
});
