import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BatchScheduler,
  PASSED_OVER_MAX,
  type SchedulableStep,
  type SchedulerLimits,
} from "../../../../src/engine/scheduler/batch-scheduler.ts";
import {
  BATCH_ATTEMPTS_FIRST,
  BATCH_ATTEMPTS_MAX,
  batchSize,
  DURATION_UNKNOWN,
  learnDuration,
} from "../../../../src/engine/scheduler/batch-size.ts";
import { ReadyQueue } from "../../../../src/engine/scheduler/ready-queue.ts";
import { unmetDemand } from "../../../../src/engine/scheduler/admission.ts";
import { STEP_OPTIONS_DEFAULT, type StepOptions } from "../../../../src/model/step-options.ts";

const limits: SchedulerLimits = {
  totals: { cores: 4, memBytes: 1000, gpus: 1 },
  slots: 4,
  workersMax: 4,
};

function step(
  name: string,
  position: number,
  fields: { height?: number; options?: Partial<StepOptions> } = {},
): SchedulableStep {
  return {
    name,
    position,
    height: fields.height ?? 1,
    mustBeApart: false,
    declaration: { options: { ...STEP_OPTIONS_DEFAULT, ...fields.options } },
  };
}

const task = (name: string, isAlone = false): { step: { name: string }; isAlone: boolean } => ({
  step: { name },
  isAlone,
});

test("the first batch is small, then about a tenth of a second of work, never more than an equal share", () => {
  assert.equal(
    batchSize({ ready: 1000, slots: 2, estimate: DURATION_UNKNOWN }),
    BATCH_ATTEMPTS_FIRST,
  );
  assert.equal(batchSize({ ready: 1000, slots: 2, estimate: { count: 5, meanMs: 10 } }), 10);
  assert.equal(
    batchSize({ ready: 10_000, slots: 2, estimate: { count: 5, meanMs: 0 } }),
    BATCH_ATTEMPTS_MAX,
  );
  assert.equal(batchSize({ ready: 6, slots: 4, estimate: { count: 5, meanMs: 1 } }), 2);
  assert.equal(batchSize({ ready: 6, slots: 4, estimate: { count: 5, meanMs: 500 } }), 1);
});

test("the mean follows what is learnt", () => {
  assert.equal(learnDuration(learnDuration(DURATION_UNKNOWN, 10), 20).meanMs, 15);
});

test("the longest way to the end goes first, then the order of declaration", () => {
  const scheduler = new BatchScheduler(
    [step("a", 0), step("b", 1, { height: 3 }), step("c", 2)],
    limits,
  );
  for (const name of ["c", "a", "b"]) scheduler.enqueue(task(name), false);
  assert.deepEqual(
    [scheduler.next()?.step, scheduler.next()?.step, scheduler.next()?.step],
    ["b", "a", "c"],
  );
  assert.equal(scheduler.next(), undefined);
});

test("declared memory, devices and isolation mean one attempt in a process of its own", () => {
  for (const options of [
    { resources: { cpu: 1, gpu: 0, memBytes: 10 } },
    { resources: { cpu: 1, gpu: 1 } },
    { isolation: "process" as const },
  ]) {
    const scheduler = new BatchScheduler([step("a", 0, { options })], limits);
    for (let i = 0; i < 9; i++) scheduler.enqueue(task("a"), false);
    const batch = scheduler.next();
    assert.deepEqual([batch?.isExclusive, batch?.tasks.length], [true, 1]);
  }
});

test("what is running bounds what may start, and its end frees it", () => {
  const scheduler = new BatchScheduler(
    [step("a", 0, { options: { resources: { cpu: 1, gpu: 0, memBytes: 600 } } })],
    limits,
  );
  scheduler.enqueue(task("a"), false);
  scheduler.enqueue(task("a"), false);
  const first = scheduler.next();
  assert.equal(scheduler.next(), undefined);
  if (first !== undefined) scheduler.ended(first);
  assert.notEqual(scheduler.next(), undefined);
});

test("a demand beyond the machine is named, with what the machine has", () => {
  const { totals } = limits;
  assert.equal(unmetDemand({ cpu: 4, gpu: 1, memBytes: 1000 }, totals), undefined);
  assert.deepEqual(unmetDemand({ cpu: 4.5, gpu: 0 }, totals), {
    need: "4.5 cores",
    has: "4",
    option: "resources.cpu",
  });
  assert.deepEqual(
    unmetDemand(
      { cpu: 1, gpu: 0, memBytes: 64 * 1024 ** 3 },
      { ...totals, memBytes: 8 * 1024 ** 3 },
    ),
    {
      need: "64.0 GB of memory",
      has: "8.0 GB",
      option: "resources.mem",
    },
  );
  assert.deepEqual(unmetDemand({ cpu: 1, gpu: 1 }, { ...totals, gpus: 0 }), {
    need: "a GPU",
    has: "none",
    option: "resources.gpu",
  });
});

test("a large step is passed over a while, then everything waits for it", () => {
  const scheduler = new BatchScheduler(
    [step("large", 0, { height: 2, options: { resources: { cpu: 4, gpu: 0 } } }), step("small", 1)],
    limits,
  );
  for (let i = 0; i < 500; i++) scheduler.enqueue(task("small"), false);
  let running = scheduler.next();
  scheduler.enqueue(task("large"), false);
  let passed = 0;
  for (; passed < 100; passed++) {
    const next = scheduler.next();
    if (next === undefined) break;
    if (running !== undefined) scheduler.ended(running);
    running = next;
  }
  assert.equal(passed, PASSED_OVER_MAX);
  if (running !== undefined) scheduler.ended(running);
  assert.equal(scheduler.next()?.step, "large");
});

test("short attempts of a step that has every slot are sent ahead, one batch a slot, and hold nothing until one ends", () => {
  const scheduler = new BatchScheduler([step("a", 0), step("b", 1)], {
    totals: { cores: 3, memBytes: 1000, gpus: 0 },
    slots: 2,
    workersMax: 3,
  });
  for (let i = 0; i < 100; i++) scheduler.enqueue(task("a"), false);
  const [first, second] = [scheduler.next(), scheduler.next()];
  assert.equal(scheduler.next(), undefined, "nothing is known of its attempts");
  scheduler.learn("a", 50);
  const [third, fourth] = [scheduler.next(), scheduler.next()];
  assert.deepEqual([third?.tasks.length, fourth?.tasks.length], [2, 2]);
  assert.equal(scheduler.next(), undefined, "one a slot");
  assert.equal(scheduler.runningCount, 4);
  // The first to be sent takes the place of what ends, so there is room for one more ahead.
  if (first !== undefined) scheduler.ended(first);
  assert.notEqual(scheduler.next(), undefined);
  assert.equal(scheduler.next(), undefined);
  // Given back without having begun: no slot is free for that.
  if (fourth !== undefined) scheduler.ended(fourth);
  assert.equal(scheduler.runningCount, 4 - 1);
  for (const batch of [second, third]) if (batch !== undefined) scheduler.ended(batch);
});

test("nothing is sent ahead of long attempts, of steps that need a process, or while another step has a slot", () => {
  const two = { totals: { cores: 9, memBytes: 1000, gpus: 0 }, slots: 2, workersMax: 9 };
  const long = new BatchScheduler([step("a", 0)], two);
  const apart = new BatchScheduler([{ ...step("a", 0), mustBeApart: true }], two);
  const mixed = new BatchScheduler([step("a", 0), step("b", 1)], two);
  mixed.enqueue(task("b"), false);
  mixed.next();
  for (const scheduler of [long, apart, mixed]) {
    for (let i = 0; i < 100; i++) scheduler.enqueue(task("a"), false);
    scheduler.learn("a", scheduler === long ? 150 : 5);
  }
  const drained = [long, apart, mixed].map((scheduler) => {
    let count = 0;
    while (scheduler.next() !== undefined) count++;
    return count;
  });
  assert.deepEqual(drained, [2, 9, 1]);
});

test("a task that must be alone is never sent with others", () => {
  const scheduler = new BatchScheduler([step("a", 0)], { ...limits, slots: 1, workersMax: 1 });
  for (const isAlone of [false, true, false, false]) scheduler.enqueue(task("a", isAlone), false);
  const sizes: [number, boolean][] = [];
  for (let batch = scheduler.next(); batch !== undefined; batch = scheduler.next()) {
    sizes.push([batch.tasks.length, batch.isExclusive]);
    scheduler.ended(batch);
  }
  assert.deepEqual(sizes, [
    [1, false],
    [1, true],
    [2, false],
  ]);
});

test("a queue gives back in order, what was returned first", () => {
  const queue = new ReadyQueue<number>();
  for (const i of [2, 3, 4]) queue.push(i);
  queue.pushFront(1);
  queue.pushFront(0);
  assert.deepEqual(
    [queue.peek(), queue.take(3), queue.length, queue.take(9), queue.length],
    [0, [0, 1, 2], 2, [3, 4], 0],
  );
});
