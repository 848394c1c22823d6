import assert from "node:assert/strict";
import { test } from "node:test";
import { brandedFile } from "../../../../src/artifact/file-brand.ts";
import { DIFF_ELEMENTS_MAX } from "../../../../src/client/diff/array-diff.ts";
import { DIFF_SHOWN_MAX } from "../../../../src/client/diff/diff-text.ts";
import { diffValues } from "../../../../src/client/diff/value-diff.ts";

const rows = [
  { x: 1, y: "a" },
  { x: 2, y: "b" },
  { x: 3, y: "c" },
];

/** Two values, and what is said of them: what of, and some of the summary. */
const CASES: readonly (readonly [string, unknown, unknown, string, string])[] = [
  ["numbers", 2, 3, "number", "2 → 3 (+1, +50 %)"],
  ["numbers that are none", NaN, 1, "number", "NaN → 1"],
  ["no table", { c: [1, { x: 1 }] }, { c: [1, { x: 2 }] }, "object", "fields: 1 changed"],
  ["numbers from zero", 0, 3, "number", "0 → 3 (+3)"],
  ["short texts", "a", "b", "string", '"a" → "b"'],
  ["long texts", "one\ntwo\nthree", "one\n2\nthree", "string", "1 removed, 1 added lines"],
  ["plain arrays", [1, 2, 3], [1, 2, 5], "array", "array[3]: 1 of 3 changed, largest difference 2"],
  [
    "matrices",
    [
      [1, 2],
      [3, 4],
    ],
    [
      [1, 2],
      [3, 5],
    ],
    "array",
    "array[2×2]: 1 of 4 changed",
  ],
  [
    "typed arrays",
    Float64Array.of(1, NaN),
    Float64Array.of(1.5, NaN),
    "array",
    "Float64Array[2]: 1 of 2 changed, largest difference 0.5, mean NaN",
  ],
  ["another length", [1, 2], [1, 2, 3], "array", "array[2] → array[3]: 0 of 2 changed"],
  [
    "another type",
    Float32Array.of(1),
    Float64Array.of(1),
    "array",
    "Float32Array[1] → Float64Array[1]",
  ],
  ["big integers", BigInt64Array.of(1n), BigInt64Array.of(3n), "array", "largest difference 2"],
  [
    "bytes",
    Uint8Array.of(1, 2, 3),
    Uint8Array.of(1, 9, 3, 4),
    "bytes",
    "3 → 4 bytes: first difference at 1",
  ],
  ["tables", rows, [...rows.slice(1), { x: 4, y: "d" }], "table", "3 rows, 1 removed, 1 added"],
  ["a table's cells", rows, [rows[0], { x: 2.5, y: "b" }, rows[2]], "table", "columns changed: x"],
  [
    "a table's columns",
    rows,
    rows.map(({ x }) => ({ x, z: 1 })),
    "table",
    "columns removed: y, columns added: z",
  ],
  [
    "columns",
    { x: [1, 2], y: ["a", "b"] },
    { x: [1, 3], y: ["a", "b"] },
    "table",
    "columns changed: x",
  ],
  [
    "objects",
    { a: 1, b: { c: [1] }, d: 1 },
    { a: 1, b: { c: [2] }, e: 1 },
    "object",
    "fields: 1 changed, 1 removed, 1 added",
  ],
  ["maps", new Map([["a", 1]]), new Map([["a", 2]]), "object", "fields: 1 changed"],
  ["sets", new Set([1, 2]), new Set([2, 3]), "set", "1 removed, 1 added"],
  ["another kind", 1, "1", "type", 'number 1 → string "1"'],
  ["nothing", null, [1], "type", "null → array[1]"],
  ["truth", true, false, "value", "true → false"],
  [
    "files",
    brandedFile({ id: "b1", name: "a", size: 1 }),
    brandedFile({ id: "b2", name: "a", size: 2 }),
    "file",
    "a: 1 → 2 bytes",
  ],
];

for (const [name, a, b, of, summary] of CASES) {
  test(`${name}: ${summary}`, () => {
    const diff = diffValues(a, b);
    assert.equal(diff?.of, of);
    assert.ok(diff?.summary.includes(summary), diff?.summary);
    assert.equal(diffValues(a, structuredClone(a)) === undefined || of === "file", true);
    assert.equal(diffValues(b, b), undefined);
  });
}

test("the work is bounded and says so", () => {
  const text = (from: number): string =>
    Array.from({ length: 5_000 }, (_, at) => `${from + at}`).join("\n");
  const lines = diffValues(text(0), text(10_000));
  assert.ok((lines?.lines?.length ?? 0) <= DIFF_SHOWN_MAX && lines?.isCut === true);
  const big = new Float32Array(DIFF_ELEMENTS_MAX + 1);
  const other = new Float32Array(DIFF_ELEMENTS_MAX + 1);
  other[DIFF_ELEMENTS_MAX] = 1;
  const cut = diffValues(big, other);
  assert.ok(cut?.isCut === true && cut.details["changed"] === 0);
  let deep: unknown = 1;
  let deeper: unknown = 2;
  for (let depth = 0; depth < 50; depth++) [deep, deeper] = [{ deep }, { deep: deeper }];
  assert.equal(diffValues(deep, deeper), undefined, "beyond the depth, forms are compared");
});
