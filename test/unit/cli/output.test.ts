import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ageText,
  bytesText,
  durationText,
  isoTime,
  parseDurationText,
} from "../../../cli/output/format.ts";
import { drawProgressFrame } from "../../../cli/output/progress-frame.ts";
import { drawTable, drawTsv, type Column } from "../../../cli/output/table.ts";
import { mayColour } from "../../../cli/output/terminal.ts";
import { widthOf } from "../../../cli/output/text-width.ts";
import { failureText } from "../../../cli/render-error.ts";
import { toJsonValue } from "../../../cli/value-json.ts";
import type { StepProgress } from "../../../src/engine/run-api.ts";

test("durations, sizes and ages read as people write them", () => {
  assert.deepEqual([12, 1234, 59_960, 184_000, 7_500_000].map(durationText), [
    "12 ms",
    "1.2 s",
    "1m 00s",
    "3m 04s",
    "2h 05m",
  ]);
  assert.deepEqual([0, 1023, 1024, 150 * 1024 ** 2].map(bytesText), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "150 MiB",
  ]);
  assert.deepEqual([ageText(0, 4000), ageText(0, 7_200_000)], ["4 s ago", "2 h ago"]);
  assert.equal(isoTime(0), "1970-01-01T00:00:00.000Z");
  assert.deepEqual(["90s", "1.5h", "2", "x"].map(parseDurationText), [
    90_000,
    5_400_000,
    undefined,
    undefined,
  ]);
});

test("values become JSON as the documents say", () => {
  const value = {
    big: 12n,
    map: new Map<unknown, unknown>([["a", new Set([1])]]),
    pairs: new Map<unknown, unknown>([[1, "x"]]),
    typed: Float64Array.of(1, NaN),
    bytes: Uint8Array.of(1, 2, 3),
  };
  assert.deepEqual(JSON.parse(JSON.stringify(toJsonValue(value))), {
    big: "12",
    map: { a: [1] },
    pairs: [[1, "x"]],
    typed: [1, null],
    bytes: "AQID",
  });
});

const columns: Column<{ name: string; size: number }>[] = [
  { title: "name", text: (row) => row.name },
  { title: "size", align: "right", text: (row) => `${row.size} B`, raw: (row) => String(row.size) },
];

test("a table fits the terminal, and a pipe gets one row a line whatever the values hold", () => {
  const rows = [{ name: "a\tb\nc".repeat(20), size: 5 }];
  const drawn = drawTable({ width: () => 40, colourOut: false }, rows, columns);
  for (const line of drawn.trimEnd().split("\n")) assert.ok(widthOf(line) <= 40);
  const tsv = drawTsv(rows, columns).trimEnd().split("\n");
  assert.equal(tsv.length, 2);
  assert.deepEqual(
    tsv.map((line) => line.split("\t").length),
    [2, 2],
  );
});

function stepOf(name: string, state: StepProgress["state"]): StepProgress {
  return { name, state, total: 4, running: 1, succeeded: 2, failed: 0, reused: 0, wallMs: 1500 };
}

test("a frame of progress never exceeds the width, nor the rows; what runs is kept", () => {
  const steps = Array.from({ length: 40 }, (_, at) =>
    stepOf(`step-with-a-rather-long-name-${at}`, at === 30 ? "running" : "succeeded"),
  );
  const lines = drawProgressFrame(
    { state: "running", steps, elapsedMs: 0 },
    { width: 50, rows: 10, colour: false, tick: 3 },
  );
  assert.ok(lines.length < 10);
  for (const line of lines) assert.ok(widthOf(line) < 50, line);
  assert.ok(lines.some((line) => line.includes("⠸")));
});

test("NO_COLOR wins over FORCE_COLOR, and FORCE_COLOR over a pipe", () => {
  assert.equal(mayColour({ NO_COLOR: "1", FORCE_COLOR: "1" }, { isTTY: true }), false);
  assert.equal(mayColour({ FORCE_COLOR: "1" }, {}), true);
  assert.equal(mayColour({ TERM: "dumb" }, { isTTY: true }), false);
  assert.equal(mayColour({}, { isTTY: true }), true);
});

test("a failure says code, frames, remedy and where the log is, and counts attempts from 0", () => {
  const failure = {
    step: "fit",
    index: [3],
    attempt: 2,
    error: {
      code: "STEP_THREW" as const,
      details: { message: "boom" },
      stack: "Error: boom\n    at train (flow.ts:3:1)\n    at fit (flow.ts:9:2)",
    },
  };
  assert.equal(
    failureText("sweep/abc", failure, false),
    `error STEP_THREW: step fit[3] (attempt 2): boom
    at train (flow.ts:3:1)
    at fit (flow.ts:9:2)
  Fix the step; finished tasks are kept and will be reused.
  Its log: mf logs sweep/abc/fit[3]
`,
  );
});
