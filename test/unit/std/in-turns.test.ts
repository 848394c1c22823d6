import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurns } from "../../../src/std/in-turns.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("results stand in the order of the items, and no more than so many run at once", async () => {
  let running = 0;
  let most = 0;
  const results = await inTurns([3, 1, 2, 5, 4], 2, async (item, at) => {
    most = Math.max(most, ++running);
    for (let i = 0; i < item; i++) await turn();
    running--;
    return `${at}:${item}`;
  });
  assert.deepEqual(results, ["0:3", "1:1", "2:2", "3:5", "4:4"]);
  assert.equal(most, 2);
  assert.deepEqual(await inTurns([], 4, async () => 1), []);
});

test("the first failure ends it, once what was begun has ended", async () => {
  const begun: number[] = [];
  let ended = 0;
  const failing = inTurns([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    await turn();
    ended++;
    if (item === 1) throw new Error("one");
  });
  await assert.rejects(failing, /one/);
  assert.ok(begun.length <= 3 && ended === begun.length);
});
