import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StepCode } from "../../../../src/code/flow-package.ts";
import type { CodeId } from "../../../../src/model/ids.ts";
import { createHostPool } from "../../../../src/engine/hosts/host-pool.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger, type Logger } from "../../../../src/env/logger.ts";
import { rehearsal } from "../../../../src/engine/hosts/rehearsal.ts";
import { batchOf, codeOf, home, outputs, pool, run, script } from "./batches.ts";

test("a thousand attempts return what the step returned", async () => {
  const inputs = Array.from({ length: 1000 }, (_, x) => ({ x }));
  const result = await pool.runBatch(
    batchOf(script("() => ({ fn: ({x}) => ({ y: x + 1 }) })"), inputs),
    { exclusive: false },
  );
  assert.deepEqual(
    result.outcomes.map((_o, at) => outputs(result, at)["y"]),
    inputs.map(({ x }) => x + 1),
  );
});

test("the batch that makes a host ready goes all the way, and leaves no file", async () => {
  const result = await pool.runBatch(rehearsal(512 * 1024 ** 2), { exclusive: false });
  assert.deepEqual(
    result.outcomes.map((outcome, at) => [outcome.result, outputs(result, at)]),
    [0, 1, 2].map(() => ["succeeded", { v: 2 }]),
  );
  assert.equal(result.scratchFile, undefined);
});

test("a pool that is warm already starts nothing more when it is told that work comes", async (t) => {
  const started: string[] = [];
  const logger: Logger = { ...silentLogger, debug: (event) => void started.push(event) };
  const clock = systemClock;
  const locate = async (): Promise<never[]> => [];
  const own = join(home, "own");
  const warmed = createHostPool({ clock, logger, slots: 1, home: own, locate });
  t.after(() => warmed.close());
  warmed.warm();
  warmed.warm();
  const result = await warmed.runBatch(rehearsal(512 * 1024 ** 2), { exclusive: false });
  assert.equal(result.outcomes[0]?.result, "succeeded");
  assert.deepEqual(started, ["host-started"]);
});

test("module state and globals start over for every attempt", async () => {
  const code = script(
    "() => { let n = 0; return { fn: () => { n++; globalThis.g = (globalThis.g ?? 0) + 1; return { n, g } } } }",
  );
  const result = await pool.runBatch(batchOf(code, [{}, {}]), { exclusive: false });
  assert.deepEqual(outputs(result, 1), { n: 1, g: 1 });
});

test("a large output goes to the scratch segment and prints go to the log", async () => {
  const batch = batchOf(
    script("() => ({ fn: () => { console.log('hello'); return { a: new Float64Array(10000) } } })"),
    [{}],
  );
  const result = await pool.runBatch(batch, { exclusive: false });
  assert.equal(result.scratchFile, batch.scratchFile);
  assert.equal(JSON.parse(readFileSync(batch.logFile, "utf8")).m, "hello");
});

test("a thrown error is an outcome with the user's message", async () => {
  const result = await run("() => { throw new RangeError('row 7') }");
  assert.equal(codeOf(result), "STEP_THREW");
  assert.equal(result.outcomes[0]?.error?.details["message"], "row 7");
});

test("an unhandled rejection fails the attempt that runs", async () => {
  assert.equal(
    codeOf(
      await run(
        "() => { Promise.reject(new Error('lost')); return new Promise((r) => setTimeout(r, 5000)) }",
      ),
    ),
    "STEP_THREW",
  );
});

test("process.exit ends the attempt, not the pool", async () => {
  assert.equal(codeOf(await run("() => process.exit(3)")), "STEP_EXITED");
  assert.deepEqual(outputs(await run("({x}) => ({ x })")), { x: 1 });
});

test("an endless loop ends at its timeout", async () => {
  assert.equal(codeOf(await run("() => { for (;;); }", { timeoutMs: 100 })), "STEP_TIMEOUT");
});

test("a cancelled attempt says so", async () => {
  const batch = batchOf(script("() => ({ fn: () => { for (;;); } })"), [{}]);
  const result = await pool.runBatch(batch, { exclusive: false, signal: AbortSignal.timeout(200) });
  assert.equal(result.outcomes[0]?.result, "cancelled");
});

test("a crash loses a shared attempt and fails an exclusive one", async () => {
  const body = "() => { process.kill(process.pid, 'SIGSEGV'); for (;;); }";
  assert.equal((await run(body)).outcomes[0]?.result, "lost");
  assert.equal(codeOf(await run(body, {}, true)), "STEP_CRASHED");
});

test("buffers over the limit end an exclusive attempt", async () => {
  const body =
    "async () => { const all = []; for (;;) { all.push(Buffer.alloc(2 ** 24, 1)); await new Promise((r) => setTimeout(r, 5)) } }";
  assert.equal(codeOf(await run(body, { memBytesMax: 200 * 1024 ** 2 }, true)), "STEP_MEMORY");
});

test("a Python step takes and returns values", async () => {
  const text =
    "import array\ndef f(x, a, m):\n  print('hi')\n  return {'y': x * 2, 'a': array.array('d', [1.5, sum(a)]), 'm': m, 'big': 2**70}\n";
  const code: StepCode = {
    kind: "python",
    codeId: "p" as CodeId,
    entry: "st.py",
    fn: "f",
    files: { "st.py": text },
    imports: [],
    requires: [],
  };
  const batch = batchOf(code, [{ x: 2, a: new Float64Array([1, 2]), m: { k: [null, "s"] } }]);
  const result = await pool.runBatch(batch, { exclusive: true });
  assert.deepEqual(result.outcomes[0]?.error, undefined);
  assert.deepEqual(outputs(result), {
    y: 4,
    a: new Float64Array([1.5, 3]),
    m: { k: [null, "s"] },
    big: 2n ** 70n,
  });
});

test("a Python error shows the user's frames", async () => {
  const code: StepCode = {
    kind: "python",
    codeId: "q" as CodeId,
    entry: "st.py",
    fn: "f",
    files: { "st.py": "def f():\n  raise ValueError('bad')\n" },
    imports: [],
    requires: [],
  };
  const result = await pool.runBatch(batchOf(code, [{}]), { exclusive: true });
  assert.match(result.outcomes[0]?.error?.stack ?? "", /st\.py", line 2/);
});

test("a Python step that is killed is a crash", async () => {
  const text = "import os, signal\ndef f():\n  os.kill(os.getpid(), signal.SIGSEGV)\n";
  const code: StepCode = {
    kind: "python",
    codeId: "r" as CodeId,
    entry: "st.py",
    fn: "f",
    files: { "st.py": text },
    imports: [],
    requires: [],
  };
  assert.equal(
    codeOf(await pool.runBatch(batchOf(code, [{}]), { exclusive: true })),
    "STEP_CRASHED",
  );
});
