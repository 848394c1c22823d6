import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pythonCandidates } from "../../../../src/engine/hosts/python/python-environment.ts";
import { withShape } from "../../../../src/artifact/typed-array.ts";
import type { StepCode } from "../../../../src/code/flow-package.ts";
import type { BatchResult } from "../../../../src/task/host-messages.ts";
import { batchOf, codeOf, outputs, pool, python, script } from "./batches.ts";

const has = (module: string): boolean =>
  pythonCandidates().some((name) => spawnSync(name, ["-c", `import ${module}`]).status === 0);
const withPython = { skip: has("sys") ? false : "no Python here" };
const withNumpy = { skip: has("numpy") ? false : "no numpy here" };

const call = (code: StepCode, inputs: object = {}): Promise<BatchResult> =>
  pool.runBatch(batchOf(code, [inputs]), { exclusive: true });

test("arrays of numpy keep kind and shape, both ways", withNumpy, async () => {
  const text =
    "def f(a):\n  assert a.shape == (2, 3)\n  return {'t': a.T + 0, 'i': a.astype('int32')[0], 'n': a.sum()}\n";
  const a = withShape(new Float64Array([1, 2, 3, 4, 5, 6]), [2, 3]);
  const result = await call(python(text), { a });
  assert.equal(result.outcomes[0]?.error, undefined);
  assert.equal(result.outcomes[0]?.outputs?.["t"]?.ref.kind, "Float64Array[3x2]");
  const { t, i, n } = outputs(result);
  assert.deepEqual([...(t as Float64Array)], [1, 4, 2, 5, 3, 6]);
  assert.deepEqual([i, n], [new Int32Array([1, 2, 3]), 21]);
});

test(
  "what has no other form is pickled, and reading it in Python is the user's own business",
  withPython,
  async () => {
    const text = "import fractions\ndef f():\n  return {'q': fractions.Fraction(1, 3)}\n";
    const { q } = outputs(await call(python(text)));
    assert.equal((q as { type: string }).type, "fractions.Fraction");
  },
);

test("sys.exit in a Python step is an exit, not a result", withPython, async () => {
  assert.equal(codeOf(await call(python("import sys\ndef f():\n  sys.exit(3)\n"))), "STEP_EXITED");
});

test("a traceback holds the user's frames only", withPython, async () => {
  const text = "def g():\n  raise ValueError('bad')\ndef f():\n  g()\n";
  const stack = (await call(python(text))).outcomes[0]?.error?.stack ?? "";
  assert.match(stack, /st\.py", line 4[^]*st\.py", line 2[^]*ValueError: bad/);
  assert.doesNotMatch(stack, /mfpy|importlib/);
});

test(
  "the last prints of a Python step are in its log, without the marks between calls",
  withPython,
  async () => {
    const text =
      "import sys\ndef f(n):\n  print('out', n, 'x' * 100000, end='')\n  sys.stderr.write('err')\n  return {}\n";
    const batch = batchOf(python(text), [{ n: 0 }, { n: 1 }]);
    await pool.runBatch(batch, { exclusive: true });
    const lines = readFileSync(batch.logFile, "utf8").trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as { i: string; s: string; m: string });
    const printed = (index: string, stream: string): string =>
      records
        .filter((item) => item.i === index && item.s === stream)
        .map((item) => item.m)
        .join("");
    for (const n of ["0", "1"]) {
      assert.equal(printed(n, "out"), `out ${n} ${"x".repeat(100_000)}`);
      assert.equal(printed(n, "err"), "err");
    }
  },
);

test("prints of a Python step that dies are in its log", withPython, async () => {
  const batch = batchOf(python("import os\ndef f():\n  print('last words')\n  os._exit(9)\n"), [
    {},
  ]);
  assert.equal(codeOf(await pool.runBatch(batch, { exclusive: true })), "STEP_EXITED");
  assert.match(readFileSync(batch.logFile, "utf8"), /last words/);
});

function checked(text: string): StepCode {
  const check =
    "typeof v.y === 'number' ? { value: { y: v.y + 1 } } : { issues: [{ message: 'expected number', path: ['y'] }] }";
  const beside = script(
    `() => ({ out: { "~standard": { version: 1, vendor: "t", validate: (v) => ${check} } }, catch: (e) => ({ caught: e.message }) })`,
  );
  return beside.kind === "script" ? { ...python(text), beside } : beside;
}

test("a Python result is checked by its schema, which may change it", withPython, async () => {
  const good = await call(checked("def f():\n  return {'y': 1, 'more': 'kept'}\n"));
  assert.deepEqual(outputs(good), { y: 2, more: "kept" });
  const bad = await call(checked("def f():\n  return {'y': 'one'}\n"));
  assert.equal(codeOf(bad), "PYTHON_OUTPUT_INVALID");
  assert.equal(bad.outcomes[0]?.error?.details["reason"], "y: expected number");
});

test("a Python step's catch handler is called without Python", async () => {
  const batch = batchOf(checked("import no_such_module\n"), [{}]);
  const error = { code: "STEP_THREW", details: { name: "ValueError", message: "bad", step: "s" } };
  const attempts = batch.attempts.map((spec) => ({ ...spec, catching: error }) as typeof spec);
  const result = await pool.runBatch({ ...batch, attempts }, { exclusive: true });
  assert.deepEqual(outputs(result), { caught: "bad" });
});
