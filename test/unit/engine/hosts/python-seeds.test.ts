import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { PythonCode } from "../../../../src/code/flow-package.ts";
import { pythonCandidates } from "../../../../src/engine/hosts/python/python-environment.ts";
import { batchOf, outputs, pool, python } from "./batches.ts";

const hasPython = pythonCandidates().some((name) => spawnSync(name, ["-c", "pass"]).status === 0);
const withPython = { skip: hasPython ? false : "no Python here" };

async function outcomes(code: PythonCode, seeds: readonly string[], inputs: object = {}) {
  const batch = batchOf(
    code,
    seeds.map(() => inputs),
  );
  const attempts = batch.attempts.map((spec, at) => ({ ...spec, seed: seeds[at] ?? "" }));
  const result = await pool.runBatch({ ...batch, attempts }, { exclusive: true });
  return seeds.map((_, at) => {
    assert.equal(result.outcomes[at]?.error, undefined, JSON.stringify(result.outcomes[at]?.error));
    return outputs(result, at);
  });
}

test(
  "a Python step's global generator starts from the task's seed, each time",
  withPython,
  async () => {
    const code = python(
      "import random\nearly = random.random()\ndef f():\n  return {'early': early, 'x': [random.random() for _ in range(3)]}\n",
    );
    const [first, second, again] = await outcomes(code, ["a", "b", "a"]);
    assert.deepEqual(again, first);
    assert.notDeepEqual(second, first);
    assert.deepEqual(await outcomes(code, ["a"]), [first]);
  },
);

test(
  "numpy's global generator too, where the step or one of its packages has it",
  withPython,
  async () => {
    const numpy = "class random:\n  @staticmethod\n  def seed(n):\n    random.n = n\n";
    const text = "def f():\n  import numpy\n  return {'n': numpy.random.n}\n";
    const code = python(text);
    const files = { ...code.files, "numpy.py": numpy };
    const [first, second] = await outcomes({ ...code, files, imports: ["numpy"] }, ["a", "b"]);
    assert.equal(typeof first?.["n"], "number");
    assert.notEqual(first?.["n"], second?.["n"]);
  },
);

test(
  "a function that takes ctx is given seed, run, task and attempt; an input of that name wins",
  withPython,
  async () => {
    const code = python(
      "def f(ctx):\n  return {'ctx': ctx if isinstance(ctx, str) else vars(ctx)}\n",
    );
    const [given] = await outcomes(code, ["a"]);
    const ctx = given?.["ctx"] as Record<string, unknown>;
    assert.deepEqual(Object.keys(ctx).sort(), ["attempt", "run", "seed", "task"]);
    assert.ok(Number.isInteger(ctx["seed"]));
    const [own] = await outcomes(code, ["a"], { ctx: "mine" });
    assert.equal(own?.["ctx"], "mine");
  },
);

test("sets of texts are listed in one order by every interpreter", withPython, async () => {
  const code = python("def f():\n  return {'x': list({chr(97 + i) * 3 for i in range(20)})}\n");
  const [first] = await outcomes(code, ["a"]);
  const [second] = await outcomes(code, ["a"]);
  assert.deepEqual(second, first);
});
