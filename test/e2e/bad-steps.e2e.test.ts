/** Steps that misbehave: each is told by its code and its cause, what else is done is kept, and no process is left. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

interface BadStep {
  readonly name: string;
  readonly settings?: string;
  /** Body of step "a". */
  readonly body: string;
  readonly code: string;
  readonly says: RegExp;
}

const BAD_STEPS: readonly BadStep[] = [
  {
    name: "ends its own process",
    body: `process.exit(3);`,
    code: "STEP_EXITED",
    says: /exit 3/,
  },
  {
    name: "loops for ever with a timeout",
    settings: `{ timeout: "300ms" }`,
    body: `for (;;) {}`,
    code: "STEP_TIMEOUT",
    says: /300 ms/,
  },
  {
    name: "leaves a rejection unhandled",
    body: `void Promise.reject(new Error("nobody waits")); await new Promise((r) => setTimeout(r, 100)); return { x: 1 };`,
    code: "STEP_THREW",
    says: /nobody waits/,
  },
  {
    name: "fills the heap",
    settings: `{ resources: { mem: "256MB" } }`,
    body: `const all: unknown[] = []; for (;;) all.push(Array.from({ length: 1000 }, (_, i) => ({ i })));`,
    code: "STEP_MEMORY",
    says: /over its limit of 256 MiB/,
  },
  {
    name: "fills buffers",
    settings: `{ resources: { mem: "256MB" } }`,
    body: `const all: Uint8Array[] = [];
  for (let i = 0; i < 200; i++) { all.push(new Uint8Array(8 * 1024 * 1024).fill(1)); await new Promise((r) => setTimeout(r, 5)); }
  return { x: all.length };`,
    code: "STEP_MEMORY",
    says: /over its limit of 256 MiB/,
  },
  {
    name: "crashes by SIGSEGV",
    body: `process.kill(process.pid, "SIGSEGV"); for (;;) {}`,
    code: "STEP_CRASHED",
    says: /SIGSEGV/,
  },
];

describe("steps that misbehave", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  for (const [position, bad] of BAD_STEPS.entries()) {
    test(`a step that ${bad.name} is ${bad.code}; its neighbour is kept`, async () => {
      const settings = bad.settings === undefined ? "" : `${bad.settings}, `;
      const file = place.flow(
        `bad${position}.ts`,
        `const f = flow("bad${position}");
f.step("a", {}, ${settings}async (): Promise<{ x: number }> => { ${bad.body} });
f.step("ok", {}, () => ({ y: 1 }));
export default f;`,
      );
      const outcome = await place.mf(["run", file, "--json"]);
      const error = errorOf(outcome);
      assert.deepEqual([error.code, outcome.code], [bad.code, 1], outcome.err);
      assert.match(error.message, bad.says);
      const { state, tasks } = JSON.parse(outcome.out) as { state: string; tasks: object };
      assert.equal(state, "failed");
      assert.deepEqual(tasks, { total: 2, succeeded: 1, failed: 1, reused: 0, executed: 1 });
    });
  }

  test("a step that throws shows the user's frames first, and where its log is", async () => {
    const file = place.flow(
      "throws.ts",
      `const f = flow("throws");
const a = f.step("a", {}, () => ({ xs: [0, 1] }));
f.step("b", { x: each(a.xs) }, ({ x }) => { console.log("before", x); return inner(x); });
function inner(x: number): { y: number } { if (x === 1) throw new TypeError("boom here"); return { y: x }; }
export default f;`,
    );
    const { code, out, err } = await place.mf(["run", file]);
    assert.equal(code, 1);
    const lines = err.split("\n");
    const at = lines.findIndex((line) => line.startsWith("error STEP_THREW: step b[1]: boom here"));
    assert.ok(at >= 0, err);
    assert.match(lines[at + 1] ?? "", /at inner \(.*throws\.ts:5:\d+\)/);
    assert.match(lines[at + 2] ?? "", /throws\.ts:4:\d+/);
    const [, log = ""] = /Its log: mf logs (\S+)/.exec(err) ?? [];
    assert.match(log, /^throws\/[0-9a-z]+\/b\[1\]$/);
    assert.match((await place.mf(["logs", log])).out, /before 1/);
    assert.match(out, /failed in .*: 3 tasks, 2 executed, 0 reused, 1 failed/);
  });

  test("a step that fails once succeeds at its retry; the attempt is told", async () => {
    const file = place.flow(
      "retries.ts",
      `import { existsSync, writeFileSync } from "node:fs";
const f = flow("retries", { mark: p.string() });
f.step("a", f.params, { retry: { times: 2, backoff: "10ms" } }, ({ mark }) => {
  console.log("here");
  if (!existsSync(mark)) { writeFileSync(mark, ""); throw new Error("not yet"); }
  return { x: 1 };
});
export default f;`,
    );
    const { code, err } = await place.mf(["run", file, "-p", `mark=${place.root}/mark`]);
    assert.equal(code, 0, err);
    assert.match(err, /attempt 0 of a failed, again in 10 ms: not yet/);
    const { attempts } = (await place.json(["status", "retries/latest", "--json"])) as {
      attempts: object;
    };
    assert.deepEqual(attempts, { total: 2, lost: 0, failed: 1 });
    const { out } = await place.mf(["logs", "retries/latest/a"]);
    assert.equal(out, "a  here\na (attempt 1)  here\n");
  });

  test("a catch handler's value takes the place of a failure", async () => {
    const file = place.flow(
      "catches.ts",
      `const f = flow("catches");
const a = f.step("a", {}, { catch: () => ({ x: -1 }) }, (): { x: number } => { throw new Error("no"); });
f.step("b", a, ({ x }) => ({ y: x }));
export default f;`,
    );
    assert.equal((await place.mf(["run", file])).code, 0);
    assert.equal(await place.json(["get", "catches/latest/b/y"]), -1);
  });

  test("a line of 10 MB comes back whole", async () => {
    const file = place.flow(
      "long.ts",
      `const f = flow("long"); f.step("a", {}, () => { console.log("y".repeat(10_000_000)); console.log("end"); return { x: 1 }; });
export default f;`,
    );
    assert.equal((await place.mf(["run", file])).code, 0);
    const { out } = await place.mf(["logs", "long/latest/a"]);
    assert.deepEqual(
      out.split("\n").map((line) => line.length),
      [10_000_003, 6, 0],
    );
  });

  test("nothing of any of these runs is left behind", () => {
    assert.deepEqual(place.processesLeft(), []);
  });
});
