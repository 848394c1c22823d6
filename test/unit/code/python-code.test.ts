import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { dirname } from "node:path";
import { test, type TestContext } from "node:test";
import { pythonCandidates } from "../../../src/code/python-interpreter.ts";
import { load, writeFiles, writeFlow } from "./flow-files.ts";

const FLOW = `import { flow } from "meshflow";
const f = flow("py");
f.python("fit", {}, { file: "steps/fit.py", fn: "fit", requires: ["numpy"] });
export default f;`;
const FILES = {
  "flow.ts": FLOW,
  "steps/fit.py": `import json\nimport numpy as np\nfrom local.rates import RATE\nfrom . import side\n\ndef fit(x):\n    """Fits."""\n    return {"y": x * RATE}\n`,
  "steps/local/__init__.py": "",
  "steps/local/rates.py": "from .deep import BASE\nRATE = BASE * 2\n",
  "steps/local/deep.py": "BASE = 3\n",
  "steps/side.py": "S = 1\n",
  "steps/unused.py": "U = 1\n",
};

const isMissing = !pythonCandidates().some((command) => {
  try {
    execFileSync(command, ["-c", "pass"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

async function codeOf(
  file: string,
): Promise<{ codeId: string; files: string[]; imports: readonly string[] }> {
  const code = (await load(file)).package.steps["fit"];
  if (code?.kind !== "python") throw new Error("not a Python step");
  return { codeId: code.codeId, files: Object.keys(code.files), imports: code.imports };
}

test(
  "a Python step takes the local modules it reaches, and comments do not count",
  { skip: isMissing },
  async (t) => {
    const file = await writeFlow(t, FILES);
    const before = await codeOf(file);
    assert.deepEqual(before.files, [
      "steps/fit.py",
      "steps/local/__init__.py",
      "steps/local/deep.py",
      "steps/local/rates.py",
      "steps/side.py",
    ]);
    assert.deepEqual(before.imports, ["numpy"]);
    await writeFiles(dirname(file), {
      "steps/fit.py": `# new\n${FILES["steps/fit.py"].replace("Fits.", "Fits it.").replace("x * RATE", "x  *  RATE")}`,
      "steps/unused.py": "U = 2\n",
    });
    assert.equal((await codeOf(file)).codeId, before.codeId);
    await writeFiles(dirname(file), { "steps/local/deep.py": "BASE = 4\n" });
    assert.notEqual((await codeOf(file)).codeId, before.codeId);
  },
);

test(
  "a missing file, a missing function and broken Python are told apart",
  { skip: isMissing },
  async (t) => {
    const { "steps/fit.py": _, ...without } = FILES;
    await assert.rejects(load(await writeFlow(t, without)), { code: "PYTHON_FILE_MISSING" });
    await assert.rejects(
      load(await writeFlow(t, { ...FILES, "flow.ts": FLOW.replace(`fn: "fit"`, `fn: "fut"`) })),
      { code: "PYTHON_FUNCTION_MISSING" },
    );
    await assert.rejects(
      load(await writeFlow(t, { ...FILES, "steps/local/deep.py": "BASE =\n" })),
      { code: "FLOW_BUILD_FAILED" },
    );
  },
);

test("without an interpreter the closure is still found and its identity is the texts", async (t) => {
  withoutPython(t);
  const file = await writeFlow(t, FILES);
  const { files, codeId } = await codeOf(file);
  assert.ok(files.includes("steps/local/deep.py"));
  await writeFiles(dirname(file), { "steps/local/deep.py": "BASE = 3 # same\n" });
  assert.notEqual((await codeOf(file)).codeId, codeId);
});

function withoutPython(t: TestContext): void {
  const before = process.env["MF_PYTHON"];
  process.env["MF_PYTHON"] = "/nowhere/python";
  t.after(() => {
    if (before === undefined) delete process.env["MF_PYTHON"];
    else process.env["MF_PYTHON"] = before;
  });
}
