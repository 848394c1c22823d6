import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { diffLines, hunksOf } from "../../../../src/client/explain/line-diff.ts";

const text = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });

test("a diff holds both texts, in order, at their positions", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = diffLines(before, after);
      const side = (sign: "+" | "-"): string[] =>
        lines.filter((line) => line.sign === sign || line.sign === " ").map((line) => line.text);
      assert.deepEqual(side("-"), before);
      assert.deepEqual(side("+"), after);
      for (const { sign, text: line, at } of lines)
        assert.equal((sign === "+" ? after : before)[at], line);
    }),
  );
});

test("a diff is as short as can be", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const edits = diffLines(before, after).filter(({ sign }) => sign !== " ").length;
      assert.equal(edits, before.length + after.length - 2 * longestCommon(before, after));
    }),
  );
});

test("what differs beyond measure is told whole", () => {
  const before = Array.from({ length: 500 }, (_, at) => `a${at}`);
  const after = Array.from({ length: 500 }, (_, at) => `b${at}`);
  const signs = diffLines(before, after).map(({ sign }) => sign);
  assert.deepEqual(signs, [...before.map(() => "-"), ...after.map(() => "+")]);
});

test("hunks leave out what is far from a change", () => {
  const before = ["1", "2", "3", "4", "5", "6", "7", "8"];
  const after = ["1", "two", "3", "4", "5", "6", "7", "eight"];
  const shown = hunksOf(diffLines(before, after), 1).map((line) =>
    line === undefined ? "…" : `${line.sign}${line.text}`,
  );
  assert.deepEqual(shown, [" 1", "-2", "+two", " 3", "…", " 7", "-8", "+eight"]);
  assert.deepEqual(hunksOf(diffLines(before, before), 1), []);
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, () => 0);
  for (const one of a) {
    const next = [0];
    for (const [at, other] of b.entries())
      next.push(one === other ? (row[at] ?? 0) + 1 : Math.max(row[at + 1] ?? 0, next[at] ?? 0));
    row = next;
  }
  return row.at(-1) ?? 0;
}
