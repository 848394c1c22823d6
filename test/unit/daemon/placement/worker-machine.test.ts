import assert from "node:assert/strict";
import { test } from "node:test";
import { SOFT_HOLD_MS, QUEUED_WORK_MS_MAX } from "../../../../daemon/placement/placement-limits.ts";
import {
  WorkerMachine,
  type WorkerEffect,
  type WorkerNeed,
} from "../../../../daemon/placement/worker-machine.ts";
import type { PeerId } from "../../../../src/model/peer.ts";

const ada = "ada" as PeerId;
const bob = "bob" as PeerId;
const one: WorkerNeed = { demand: { cores: 1, memBytes: 0, gpus: 0 }, isExclusive: false };
const short: WorkerNeed = { ...one, expectedMs: 100 };
const long: WorkerNeed = { ...one, expectedMs: QUEUED_WORK_MS_MAX + 1 };

function machine(slots = 2, gpus: readonly string[] = []): WorkerMachine {
  const made = new WorkerMachine({
    slots,
    capacity: { cores: slots, memBytes: 1_000, gpus: gpus.length },
  });
  made.observe({ memFreeBytes: 1_000, gpus });
  return made;
}

function starts(effects: readonly WorkerEffect[]): string[] {
  return effects.flatMap((effect) => (effect.t === "start" ? [effect.lease] : []));
}

test("what is admitted starts when its inputs are here", () => {
  const worker = machine();
  assert.equal(worker.grant(ada, "1", one, 0), true);
  assert.equal(worker.runningCount, 0);
  assert.deepEqual(starts(worker.accept({ t: "ready", lease: "1" }, 5)), ["1"]);
  assert.equal(worker.runningCount, 1);
  worker.accept({ t: "ended", lease: "1" }, 6);
  assert.equal(worker.count, 0);
});

test("a grant that is repeated is admitted once", () => {
  const worker = machine(1);
  assert.equal(worker.grant(ada, "1", long, 0), true);
  assert.equal(worker.grant(ada, "1", long, 0), true);
  assert.equal(worker.count, 1);
});

test("one short batch a slot may wait behind what runs, a long or unknown one may not", () => {
  const worker = machine(1);
  assert.equal(worker.grant(ada, "1", one, 0), true);
  assert.equal(worker.grant(ada, "2", one, 0), false, "nobody knows how long");
  assert.equal(worker.grant(ada, "2", long, 0), false);
  assert.equal(worker.grant(ada, "2", short, 0), true);
  assert.equal(worker.grant(ada, "3", short, 0), false, "full");
  assert.deepEqual(
    starts(worker.accept({ t: "ready", lease: "2" }, 1)),
    ["2"],
    "its inputs came first",
  );
  assert.deepEqual(starts(worker.accept({ t: "ready", lease: "1" }, 2)), []);
  assert.deepEqual(starts(worker.accept({ t: "ended", lease: "2" }, 3)), ["1"]);
});

test("what was offered is held for a moment, and for the asker only", () => {
  const worker = machine(1);
  assert.equal(worker.offer(ada, one, true, 0).slots, 1);
  assert.equal(worker.roomFor(bob, 1).slots, 0);
  assert.equal(worker.grant(bob, "b", one, 1), false);
  assert.equal(worker.grant(bob, "b", one, SOFT_HOLD_MS), true, "it has expired");
});

test("a grant uses up the hold, and nothing gives it back", () => {
  const worker = machine(2);
  worker.offer(ada, one, true, 0);
  assert.equal(worker.grant(ada, "a", one, 1), true);
  assert.equal(worker.roomFor(bob, 2).slots, 1);
  worker.offer(ada, one, true, 3);
  assert.equal(worker.roomFor(bob, 4).slots, 0);
  worker.accept({ t: "nothing", owner: ada }, 5);
  assert.equal(worker.roomFor(bob, 6).slots, 1);
});

test("who waits is asked to pull, first come, first served, and stops others from queueing", () => {
  const worker = machine(1);
  worker.grant(ada, "a", short, 0);
  worker.accept({ t: "ready", lease: "a" }, 0);
  worker.offer(bob, one, true, 1);
  assert.equal(worker.roomFor(ada, 2).queue, 0);
  assert.equal(worker.grant(ada, "a2", short, 2), false, "somebody waits");
  const effects = worker.accept({ t: "ended", lease: "a" }, 3);
  assert.deepEqual(
    effects.map((effect) => [effect.t, effect.t === "pull" ? effect.owner : ""]),
    [["pull", bob]],
  );
  assert.equal(worker.grant(ada, "a3", one, 4), false, "held for bob");
  assert.equal(worker.grant(bob, "b", one, 4), true);
});

test("memory is the smaller of what the ledger and what the machine has", () => {
  const worker = machine(4);
  const need = (memBytes: number): WorkerNeed => ({
    demand: { cores: 1, memBytes, gpus: 0 },
    isExclusive: true,
  });
  worker.observe({ memFreeBytes: 500, gpus: [] });
  assert.equal(worker.grant(ada, "1", need(600), 0), false, "others use the machine");
  worker.observe({ memFreeBytes: 1_000, gpus: [] });
  assert.equal(worker.grant(ada, "1", need(600), 0), true);
  assert.equal(
    worker.grant(ada, "2", need(600), 0),
    false,
    "the first may yet use what it declared",
  );
  assert.equal(worker.roomFor(ada, 0).memBytes, 400);
});

test("GPUs are whole devices, each to one lease at a time", () => {
  const worker = machine(4, ["G1", "G2"]);
  const gpu: WorkerNeed = { demand: { cores: 1, memBytes: 0, gpus: 1 }, isExclusive: true };
  const given: (readonly string[])[] = [];
  for (const id of ["1", "2", "3"]) {
    worker.grant(ada, id, gpu, 0);
    for (const effect of worker.accept({ t: "ready", lease: id }, 0))
      if (effect.t === "start") given.push(effect.gpus);
  }
  assert.deepEqual(given, [["G1"], ["G2"]]);
  worker.accept({ t: "ended", lease: "1" }, 1);
  worker.observe({ memFreeBytes: 1_000, gpus: ["G2"] });
  assert.equal(worker.grant(ada, "4", gpu, 2), false, "a foreign process has taken the device");
});

test("a large batch that small ones pass over is not passed over for ever", () => {
  const worker = machine(2);
  const wide: WorkerNeed = {
    demand: { cores: 2, memBytes: 0, gpus: 0 },
    isExclusive: false,
    expectedMs: 10,
  };
  worker.grant(ada, "small-0", short, 0);
  worker.accept({ t: "ready", lease: "small-0" }, 0);
  worker.grant(ada, "wide", wide, 0);
  worker.accept({ t: "ready", lease: "wide" }, 0);
  let now = 1;
  let running = "small-0";
  for (let i = 1; i < 100; i++) {
    const next = `small-${i}`;
    if (!worker.grant(ada, next, short, now)) break;
    worker.accept({ t: "ready", lease: next }, now);
    const effects = worker.accept({ t: "ended", lease: running }, (now += 1));
    if (starts(effects).includes("wide")) break;
    running = next;
    if (worker.lease(running)?.phase !== "running")
      worker.accept({ t: "ended", lease: running }, now);
    if (worker.lease("wide")?.phase === "running") break;
  }
  assert.equal(worker.lease("wide")?.phase, "running");
});

test("while paused nothing is offered or admitted", () => {
  const worker = machine();
  worker.pause(100);
  assert.equal(worker.isAccepting(50), false);
  assert.deepEqual(worker.offer(ada, one, true, 50), {
    slots: 0,
    queue: 0,
    cores: 0,
    memBytes: 0,
    gpus: 0,
  });
  assert.equal(worker.grant(ada, "1", one, 50), false);
  assert.equal(worker.grant(ada, "1", one, 100), true);
});

test("an owner that is gone holds and waits for nothing", () => {
  const worker = machine(1);
  worker.offer(ada, one, true, 0);
  worker.offer(bob, one, true, 0);
  const effects = worker.accept({ t: "owner-gone", owner: ada }, 1);
  assert.deepEqual(
    effects.map((effect) => effect.t),
    ["pull"],
  );
});
