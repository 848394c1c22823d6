import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LogWriter } from "../../../cli/output/log-writer.ts";
import { LineJoiner, loggedSteps, readLogPage } from "../../../src/client/run-logs.ts";
import { logDirectoryOf, logFileOf } from "../../../src/engine/run/log-file.ts";
import type { RunId } from "../../../src/model/ids.ts";

const run = { flow: "demo", id: "k3j9x2m4ab" as RunId };

function homeWith(t: TestContext, step: string, texts: readonly string[]): string {
  const home = mkdtempSync(join(tmpdir(), "mf-run-logs-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  mkdirSync(logDirectoryOf(home, run), { recursive: true });
  appendFileSync(logFileOf(home, run, step), texts.join(""));
  return home;
}

const record = (i: number, m: string): string =>
  `${JSON.stringify({ t: i, i: String(i % 2), a: 0, s: "out", m })}\n`;

test("pages lead from one to the next until the end, each within its limits", async (t) => {
  const texts = Array.from({ length: 100 }, (_, at) => record(at, "x".repeat(100)));
  const home = homeWith(t, "fit", texts);
  assert.deepEqual(await loggedSteps(home, run), ["fit"]);
  const seen: number[] = [];
  let from = 0;
  let pages = 0;
  for (let isEnd = false; !isEnd; pages++) {
    const page = await readLogPage(home, run, { step: "fit", from, bytesMax: 2000, recordsMax: 8 });
    assert.ok(page.records.length <= 8);
    seen.push(...page.records.map((entry) => entry.t));
    from = page.next;
    isEnd = page.isEnd;
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 100 }, (_, at) => at),
  );
  assert.ok(pages >= 13);
});

test("one task's page passes over the others and does not read them again", async (t) => {
  const home = homeWith(
    t,
    "fit",
    [0, 1, 2, 3].map((at) => record(at, "m")),
  );
  const asked = { step: "fit", index: [0], from: 0, bytesMax: 1e6, recordsMax: 100 };
  const page = await readLogPage(home, run, asked);
  assert.deepEqual(
    page.records.map((entry) => entry.t),
    [0, 2],
  );
  assert.equal(page.next, 4 * record(0, "m").length);
});

test("a record without its newline is not there yet; a run that printed nothing has no steps", async (t) => {
  const home = homeWith(t, "fit", [record(0, "m"), '{"t":1,"i":"0"']);
  const page = await readLogPage(home, run, { step: "fit", from: 0, bytesMax: 1e6, recordsMax: 9 });
  assert.deepEqual([page.records.length, page.isEnd], [1, true]);
  assert.deepEqual(await loggedSteps(home, { ...run, id: "other" as RunId }), []);
});

test("pieces of concurrent lines are joined by task, attempt and stream", () => {
  const joiner = new LineJoiner("fit");
  const piece = (i: string, m: string, isOpen: boolean) =>
    joiner.add({ t: 1, i, a: 0, s: "out", m, ...(isOpen ? { c: true as const } : {}) });
  assert.equal(piece("0", "a", true), undefined);
  assert.equal(piece("1", "x", true), undefined);
  assert.equal(piece("0", "b", false)?.text, "ab");
  assert.deepEqual(
    joiner.end().map((line) => line.text),
    ["x"],
  );
  assert.deepEqual(joiner.end(), []);
});

test("only the first lot is cut to its tail", () => {
  const written: number[] = [];
  const writer = new LogWriter<number>({
    isWanted: (line) => line >= 0,
    write: (line) => void written.push(line),
    tail: 2,
  });
  for (let line = -5; line < 500; line++) writer.add([line]);
  assert.ok(writer.isSilent);
  writer.endFirst();
  writer.add([500, -1, 501, 502]);
  writer.endFirst();
  assert.deepEqual(written, [498, 499, 500, 501, 502]);
});
