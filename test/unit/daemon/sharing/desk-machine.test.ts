import assert from "node:assert/strict";
import { test } from "node:test";
import { DeskMachine } from "../../../../daemon/sharing/desk-machine.ts";
import { LEASE_MS, PAST_USER_MS } from "../../../../daemon/sharing/sharing-limits.ts";
import type { CodeId, MemoKey } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";

const CODE = "code" as CodeId;
const [ADA, BOB, CYD] = ["ada", "bob", "cyd"] as unknown as [PeerId, PeerId, PeerId];
const keys = (...names: string[]) => [{ code: CODE, keys: names as unknown as MemoKey[] }];

test("who is alone is asked for nothing; with a second user the first hands in once", () => {
  const desk = new DeskMachine();
  assert.equal(desk.use(ADA, [CODE], 0).size, 0);
  assert.deepEqual([...desk.use(BOB, [CODE], 1)], [[ADA, [CODE]]]);
  desk.held(ADA, keys("x"), 2);
  assert.equal(desk.use(CYD, [CODE], 3).size, 0);
  assert.deepEqual(desk.others(BOB, CODE, 3), { users: [ADA, CYD], isShared: true });
  assert.deepEqual(desk.claim(BOB, keys("x", "y"), 4), ["x"]);
  assert.deepEqual(desk.claim(CYD, keys("x", "y"), 4), ["x", "y"]);
  assert.deepEqual(desk.claim(ADA, keys("x"), 5), []);
});

test("everybody who waits is told once, and by whom", () => {
  const desk = new DeskMachine();
  desk.held(ADA, keys("x"), 0);
  desk.claim(BOB, keys("x"), 1);
  desk.claim(BOB, keys("x"), 1);
  desk.claim(CYD, keys("x"), 1);
  // Only its holder settles it.
  assert.deepEqual(desk.settle(BOB, keys("x"), true), []);
  assert.deepEqual(desk.settle(ADA, keys("x"), true), [
    { to: BOB, by: ADA, keys: ["x"], isDone: true },
    { to: CYD, by: ADA, keys: ["x"], isDone: true },
  ]);
  assert.deepEqual(desk.settle(ADA, keys("x"), true), []);
  assert.deepEqual(desk.claim(CYD, keys("x"), 2), []);
});

test("what a user that leaves, or is lost, was running is free; it is named for a while after", () => {
  for (const end of ["leave", "gone"] as const) {
    const desk = new DeskMachine();
    desk.use(ADA, [CODE], 0);
    desk.use(BOB, [CODE], 0);
    desk.held(ADA, keys("x"), 0);
    desk.claim(BOB, keys("x"), 1);
    const told = end === "leave" ? desk.leave(ADA, [CODE], 2) : desk.gone(ADA, 2);
    assert.deepEqual(told, [{ to: BOB, by: ADA, keys: ["x"], isDone: false }]);
    assert.deepEqual(desk.others(BOB, CODE, 3), { users: [ADA], isShared: false });
    assert.deepEqual(desk.others(BOB, CODE, 2 + PAST_USER_MS).users, []);
  }
});

test("who waits and is lost is told nothing more", () => {
  const desk = new DeskMachine();
  desk.held(ADA, keys("x"), 0);
  desk.claim(BOB, keys("x"), 1);
  desk.gone(BOB, 2);
  assert.deepEqual(desk.settle(ADA, keys("x"), true), []);
});

test("what is not renewed is forgotten, and nothing is left of it", () => {
  const desk = new DeskMachine();
  desk.held(ADA, keys("x", "y"), 0);
  desk.claim(BOB, keys("x", "y"), LEASE_MS / 2);
  desk.held(ADA, keys("y"), LEASE_MS / 2);
  assert.deepEqual(desk.expire(LEASE_MS), [{ to: BOB, by: ADA, keys: ["x"], isDone: false }]);
  assert.deepEqual(desk.claim(BOB, keys("x"), LEASE_MS), []);
  assert.equal(desk.expire(LEASE_MS * 4).length, 1);
  desk.expire(LEASE_MS * 4 + PAST_USER_MS);
  assert.deepEqual(desk.size, { codes: 0, claims: 0 });
});
