import assert from "node:assert/strict";
import { test } from "node:test";
import { countLoss } from "../../../../src/engine/run/failure-decision.ts";
import { TASK_LOSSES_MAX, TASK_PEER_LOSSES_MAX } from "../../../../src/engine/run/run-limits.ts";

const fresh = (): { losses: number; peerLosses: number; isAlone: boolean } => ({
  losses: 0,
  peerLosses: 0,
  isAlone: false,
});

test("a task whose host died goes on alone, and is given up after a few", () => {
  const task = fresh();
  const ends = Array.from({ length: TASK_LOSSES_MAX }, () => countLoss(task).isGivenUp);
  assert.equal(ends.indexOf(true), TASK_LOSSES_MAX - 1);
  assert.equal(task.isAlone, true);
});

test("a task whose peer was lost is not to blame: it is not set apart, and a storm of kills does not end it", () => {
  const task = fresh();
  const error = { code: "PEER_LOST" as const, details: { peer: "b" } };
  const ends = Array.from({ length: TASK_PEER_LOSSES_MAX }, () => countLoss(task, error).isGivenUp);
  assert.equal(ends.indexOf(true), TASK_PEER_LOSSES_MAX - 1);
  assert.deepEqual([task.isAlone, task.losses], [false, 0]);
});
