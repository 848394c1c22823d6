import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { encodeValue } from "../../../../src/artifact/codec.ts";
import type { AttemptProgress, BatchResult } from "../../../../src/task/host-messages.ts";
import { readLog, type LogLine } from "../../../../src/task/read-log.ts";
import { batchOf, codeOf, contents, home, outputs, pool, run, script } from "./batches.ts";

async function linesOf(file: string, from = 0): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const line of readLog(file, { from })) lines.push(line);
  return lines;
}

test("a heap over the limit ends an exclusive attempt with its cause", async () => {
  const body = "() => { const all = []; for (;;) all.push({ a: [all.length] }); }";
  assert.equal(codeOf(await run(body, { memBytesMax: 96 * 1024 ** 2 }, true)), "STEP_MEMORY");
});

test("a property that is undefined is stored", async () => {
  const result = await run("() => ({ a: undefined, b: 1 })");
  assert.equal(result.outcomes[0]?.outputs?.["a"]?.ref.kind, "undefined");
  assert.deepEqual(outputs(result), { a: undefined, b: 1 });
});

test("a catch handler gets the error and the inputs, and its outputs are stored", async () => {
  const code = script(
    "() => ({ fn: () => 0, catch: (e, { x }) => ({ name: e.name, message: e.message, x, none: undefined }) })",
  );
  const batch = batchOf(code, [{ x: 7 }]);
  const error = {
    code: "STEP_THREW",
    details: { name: "RangeError", message: "row 7", step: "s" },
  };
  const attempts = batch.attempts.map((spec) => ({ ...spec, catching: error }) as typeof spec);
  const result = await pool.runBatch({ ...batch, attempts }, { exclusive: false });
  assert.deepEqual(outputs(result), {
    name: "RangeError",
    message: "row 7",
    x: 7,
    none: undefined,
  });
});

test("a long line is logged in pieces and a log ends at its limit", async () => {
  const body =
    "() => { console.log('x'.repeat(10 * 2 ** 20)); console.log('y'.repeat(10 * 2 ** 20)); return {}; }";
  const batch = batchOf(script(`() => ({ fn: ${body} })`), [{}]);
  assert.equal((await pool.runBatch(batch, { exclusive: false })).outcomes[0]?.result, "succeeded");
  const lines = await linesOf(batch.logFile);
  const end = lines.findIndex((line) => line.c === undefined);
  const first = lines.slice(0, end + 1).map((line) => line.m);
  assert.equal(first.join(""), "x".repeat(10 * 2 ** 20));
  assert.match(lines.at(-1)?.m ?? "", /^log cut here/);
  assert.ok(readFileSync(batch.logFile).length < 17 * 2 ** 20);
});

test("a reader of a log goes on where it stopped", async () => {
  const logFile = join(home, "followed.log");
  await run("() => { console.log('one'); return {}; }", { logFile });
  const [one] = await linesOf(logFile);
  assert.equal(one?.m, "one");
  await run("() => { console.error('two'); return {}; }", { logFile });
  const rest = await linesOf(logFile, one?.next);
  assert.deepEqual(
    rest.map(({ m, s }) => [m, s]),
    [["two", "err"]],
  );
});

test("progress is told while the attempt runs", async () => {
  const seen: AttemptProgress[] = [];
  const code = script("() => ({ fn: (_, ctx) => { ctx.progress(1, 'last'); return {}; } })");
  await pool.runBatch(batchOf(code, [{}]), {
    exclusive: false,
    onProgress: (progress) => void seen.push(progress),
  });
  assert.deepEqual(seen, [{ index: [0], fraction: 1, note: "last" }]);
});

test("a stored file is read as bytes, text, stream and path", async () => {
  const data = Buffer.from("a,b\n1,2\n");
  const id = cidOf("raw", data);
  contents.set(id, { inline: data });
  const path = join(home, "t.csv");
  writeFileSync(path, data);
  const body = `async ({ path }, ctx) => {
    const { readFileSync } = require("node:fs");
    const file = await ctx.file(path);
    let streamed = "";
    for await (const piece of file.stream()) streamed += Buffer.from(piece).toString();
    return { file, streamed, text: await file.text(), length: (await file.bytes()).length, onDisk: readFileSync(await file.path(), "utf8") };
  }`;
  const first = await pool.runBatch(
    batchOf(script(`(scope, require) => ({ fn: ${body} })`), [{ path }]),
    { exclusive: false },
  );
  const { file, ...read } = outputs(first);
  const text = data.toString();
  assert.deepEqual(read, { streamed: text, text, length: data.length, onDisk: text });
  const code = script(
    "() => ({ fn: async ({ file }) => ({ name: file.name, text: await file.text() }) })",
  );
  const second = await pool.runBatch(batchOf(code, [{ file }]), { exclusive: false });
  assert.deepEqual(outputs(second), { name: "t.csv", text });
});

test("outputs read by each() come with an element table", async () => {
  const result = await run("() => ({ xs: [1, 2, 3] })", { eachOutputs: ["xs"] });
  assert.equal(result.outcomes[0]?.tables?.["xs"]?.ref.kind, "elements[3]");
  assert.equal(codeOf(await run("() => ({ xs: 1 })", { eachOutputs: ["xs"] })), "EACH_NOT_LIST");
});

test("stored content is cut into elements in a host", async () => {
  const { data } = encodeValue({ rows: ["a", "b"] });
  const request = {
    step: "s",
    source: "rows",
    content: { inline: data },
    codec: "messagepack",
    path: ["rows"],
    scratchFile: join(home, "split.seg"),
  } as const;
  assert.equal((await pool.splitContent(request)).table.ref.kind, "elements[2]");
  await assert.rejects(pool.splitContent({ ...request, path: ["none"] }), {
    code: "EACH_NOT_LIST",
  });
});

/** Two attempts, one after the other in one thread, that read the same 2.4 MB. */
async function readTwice(fn: string): Promise<BatchResult> {
  const { data } = encodeValue(new Float64Array(300_000).fill(1));
  const id = cidOf("messagepack", data);
  const part = {
    file: join(home, "shared.seg"),
    offset: 0,
    bytes: data.length,
    digest: createHash("sha256").update(data).digest("hex"),
  };
  writeFileSync(part.file, data);
  const batch = batchOf(script(`() => ({ fn: ${fn} })`), [{}, {}], {
    contents: { [id]: { bytes: data.length, parts: [part] } },
  });
  const inputs = { fields: { a: { k: "artifact" as const, id } } };
  const attempts = batch.attempts.map((spec) => ({ ...spec, inputs }));
  return pool.runBatch({ ...batch, attempts }, { exclusive: false });
}

test("attempts that share large content do not see each other's changes", async () => {
  const result = await readTwice("({ a }) => { const was = a[0]; a.fill(9); return { was }; }");
  assert.deepEqual([outputs(result, 0), outputs(result, 1)], [{ was: 1 }, { was: 1 }]);
});

test("what an attempt leaves running does not reach the input of the next", async () => {
  const left = await readTwice(`async ({ a }, ctx) => {
    if (ctx.task === "s[0]") setTimeout(() => { a[0] = 9; }, 20);
    else await new Promise((resolve) => setTimeout(resolve, 60));
    return { was: a[0] };
  }`);
  assert.deepEqual([outputs(left, 0), outputs(left, 1)], [{ was: 1 }, { was: 1 }]);
});

test("an attempt may give its input's memory away, and return the input itself", async () => {
  const given = await readTwice(
    "({ a }) => { const was = a[0]; structuredClone(a.buffer, { transfer: [a.buffer] }); return { was }; }",
  );
  assert.deepEqual([outputs(given, 0), outputs(given, 1)], [{ was: 1 }, { was: 1 }]);
  const returned = await readTwice("({ a }) => ({ a, part: a.subarray(1, 3) })");
  const kinds = returned.outcomes.map((outcome) => outcome.outputs?.["a"]?.ref.kind);
  assert.deepEqual(kinds, ["Float64Array[300000]", "Float64Array[300000]"]);
  assert.equal(new Set(returned.outcomes.map((item) => item.outputs?.["a"]?.ref.id)).size, 1);
});

test("what is not begun when the time of a batch is over goes back", async () => {
  const code = script(
    "() => ({ fn: () => { const end = performance.now() + 30; while (performance.now() < end); return {}; } })",
  );
  const batch = batchOf(code, [{}, {}, {}, {}], { yieldAfterMs: 20 });
  const { outcomes } = await pool.runBatch(batch, { exclusive: false });
  assert.deepEqual(
    outcomes.map((item) => item.result),
    ["succeeded", "not-started", "not-started", "not-started"],
  );
});

test("globals that a step defines are gone in the next attempt, however it gets at them", async () => {
  const touch = (expression: string): Promise<BatchResult> =>
    pool.runBatch(
      batchOf(
        script(
          `() => ({ fn: () => { const g = ${expression}; return { n: (g.n = (g.n ?? 0) + 1) }; } })`,
        ),
        [{}, {}],
      ),
      { exclusive: false },
    );
  for (const expression of [
    "globalThis",
    "global",
    "Function('return this')()",
    "(0, eval)('this')",
  ]) {
    assert.deepEqual(outputs(await touch(expression), 1), { n: 1 }, expression);
  }
});

test("values keep their kinds through a step", async () => {
  const value = { d: new Date(5), m: new Map([[1, new Set([2n])]]), n: null, f: NaN };
  const result = await pool.runBatch(batchOf(script("() => ({ fn: (all) => all })"), [value]), {
    exclusive: false,
  });
  assert.deepEqual(outputs(result), value);
});
