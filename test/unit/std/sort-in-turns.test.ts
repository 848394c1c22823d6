import assert from "node:assert/strict";
import { test } from "node:test";
import { sortInTurns } from "../../../src/std/sort-in-turns.ts";

test("as sort does it, equal ones in the order they came, whatever the number", async () => {
  for (const count of [0, 1, 511, 512, 513, 5_000]) {
    const items = Array.from({ length: count }, (_, at) => ({ key: (at * 7919) % 97, at }));
    const sorted = await sortInTurns(items, (a, b) => a.key - b.key);
    assert.deepEqual(
      sorted,
      items.toSorted((a, b) => a.key - b.key),
    );
  }
});

test("what is nearly in order already is not compared all over", async () => {
  const items = Array.from({ length: 50_000 }, (_, at) => ({ key: at - (at % 100), at }));
  let compared = 0;
  const sorted = await sortInTurns(items, (a, b) => {
    compared++;
    return a.key - b.key;
  });
  assert.deepEqual(sorted, items);
  assert.ok(compared < items.length * 1.2, `${compared} comparisons`);
});

test("others have their turn meanwhile", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await sortInTurns(
    Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 50_021),
    (a, b) => a - b,
  );
  clearInterval(timer);
  assert.ok(turns > 0);
});
