import assert from "node:assert/strict";
import { test } from "node:test";
import { WORK_INTERVAL_MS } from "../../../../daemon/catalog/catalog-limits.ts";
import { isWorkOld } from "../../../../daemon/catalog/run-feed.ts";
import { RESULT } from "../../../support/fake-daemon.ts";

const counted = (
  tookMs: number,
): { at: number; tookMs: number; peers: Record<string, number> } => ({
  at: 1_000,
  tookMs,
  peers: { ada: 3 },
});

test("who did how much is counted at once, and again after an interval that grows with the walk", () => {
  assert.ok(isWorkOld({ work: undefined, result: undefined }, 0));
  const short = { work: counted(1), result: undefined };
  assert.ok(!isWorkOld(short, 999 + WORK_INTERVAL_MS));
  assert.ok(isWorkOld(short, 1_000 + WORK_INTERVAL_MS));
  const long = { work: counted(200), result: undefined };
  assert.ok(!isWorkOld(long, 1_000 + WORK_INTERVAL_MS));
  assert.ok(isWorkOld(long, 11_000));
});

test("the end of a run waits for no count", () => {
  assert.ok(!isWorkOld({ work: counted(1), result: RESULT }, 1_000_000));
});
