/**
 * Which ready tasks go to a worker next, and how many together. The step with the longest way to the end of the flow goes
 * first, then the one declared first; a step too big for what is free is passed over, but not for ever. No I/O, no clock.
 */
import type { StepOptions } from "../../model/step-options.ts";
import { defined } from "../../std/assert.ts";
import {
  demandOf,
  fits,
  needsProcessPerAttempt,
  plus,
  type Capacity,
  type Demand,
} from "./admission.ts";
import {
  BATCH_WORK_MS,
  batchSize,
  DURATION_UNKNOWN,
  learnDuration,
  type DurationEstimate,
} from "./batch-size.ts";
import { ReadyQueue } from "./ready-queue.ts";

/** What the scheduler has to know of a step. */
export interface SchedulableStep {
  readonly name: string;
  readonly position: number;
  readonly height: number;
  /** Its code may bring the process down or is not ours: Python, native add-ons. */
  readonly mustBeApart: boolean;
  readonly declaration: { readonly options: StepOptions };
}

export interface Schedulable {
  /** Its shared host died: a process of its own. */
  readonly isAlone: boolean;
  readonly step: { readonly name: string };
}

export interface PlannedBatch<T> {
  readonly step: string;
  readonly tasks: readonly T[];
  readonly isExclusive: boolean;
  readonly demand: Demand;
}

/** Read anew for each batch: in a mesh they change while peers come and go. */
export interface SchedulerLimits {
  readonly totals: Capacity;
  /** Batches at once in shared hosts. */
  readonly slots: number;
  /** Batches at once in all. */
  readonly workersMax: number;
}

/** A step that was passed over this often gets what becomes free, and others wait. */
export const PASSED_OVER_MAX = 32;

interface Lane<T> {
  readonly step: SchedulableStep;
  readonly queue: ReadyQueue<T>;
  readonly demand: Demand;
  running: number;
  /** Those of `running` that are in the shared host. */
  sharedRunning: number;
  passedOver: number;
  estimate: DurationEstimate;
}

export class BatchScheduler<T extends Schedulable> {
  readonly #limits: SchedulerLimits;
  readonly #lanes: readonly Lane<T>[];
  readonly #byStep: ReadonlyMap<string, Lane<T>>;
  #used: Capacity = { cores: 0, memBytes: 0, gpus: 0 };
  /** Sent while every slot was taken: the host begins the first of them when a slot is free. They hold no capacity until then. */
  #ahead: PlannedBatch<T>[] = [];
  #sharedRunning = 0;
  #running = 0;
  #ready = 0;

  constructor(steps: Iterable<SchedulableStep>, limits: SchedulerLimits) {
    this.#limits = limits;
    this.#lanes = [...steps]
      .sort((a, b) => b.height - a.height || a.position - b.position)
      .map((step) => ({
        step,
        queue: new ReadyQueue<T>(),
        demand: demandOf(step.declaration.options.resources),
        running: 0,
        sharedRunning: 0,
        passedOver: 0,
        estimate: DURATION_UNKNOWN,
      }));
    this.#byStep = new Map(this.#lanes.map((lane) => [lane.step.name, lane]));
  }

  get runningCount(): number {
    return this.#running + this.#ahead.length;
  }

  enqueue(task: T, isFront: boolean): void {
    const { queue } = this.#lane(task.step.name);
    if (isFront) queue.pushFront(task);
    else queue.push(task);
    this.#ready++;
  }

  clear(): void {
    for (const lane of this.#lanes) lane.queue.clear();
    this.#ready = 0;
  }

  /** The next batch to start now, or undefined until something ends or becomes ready. */
  next(): PlannedBatch<T> | undefined {
    if (this.#ready === 0) return undefined;
    const batch = this.#running < this.#limits.workersMax ? this.#nextToStart() : undefined;
    return batch ?? this.#nextAhead();
  }

  #nextToStart(): PlannedBatch<T> | undefined {
    for (const lane of this.#lanes) {
      const first = lane.queue.peek();
      if (
        first === undefined ||
        lane.running >= (lane.step.declaration.options.concurrency ?? Infinity)
      )
        continue;
      const isExclusive = mustBeExclusive(lane, first);
      if (
        (isExclusive || this.#sharedRunning < this.#limits.slots) &&
        fits(lane.demand, this.#used, this.#limits.totals)
      ) {
        const batch = this.#take(lane, first, isExclusive);
        this.#begin(lane, batch);
        return batch;
      }
      lane.passedOver++;
      if (lane.passedOver > PASSED_OVER_MAX) return undefined;
    }
    return undefined;
  }

  /**
   * One batch for each slot may wait in the host, so that a worker that is done goes on without a message there and back.
   * Only of the step that is most urgent and has all slots: then what begins later takes the place of its like, and nothing
   * is held up but by work as short as itself.
   */
  #nextAhead(): PlannedBatch<T> | undefined {
    const { slots } = this.#limits;
    if (this.#sharedRunning < slots || this.#ahead.length >= slots) return undefined;
    const lane = this.#lanes.find(({ queue }) => queue.length > 0);
    const first = lane?.queue.peek();
    if (lane === undefined || first === undefined || lane.sharedRunning < slots) return undefined;
    const { count, meanMs } = lane.estimate;
    if (count === 0 || meanMs > BATCH_WORK_MS || mustBeExclusive(lane, first)) return undefined;
    const batch = this.#take(lane, first, false);
    this.#ahead.push(batch);
    return batch;
  }

  ended(batch: PlannedBatch<T>): void {
    const position = this.#ahead.indexOf(batch);
    if (position >= 0) {
      // Given back before it began: its host died, or the run was cancelled.
      this.#ahead.splice(position, 1);
      return;
    }
    const lane = this.#lane(batch.step);
    lane.running--;
    this.#running--;
    this.#used = plus(this.#used, batch.demand, -1);
    if (batch.isExclusive) return;
    lane.sharedRunning--;
    this.#sharedRunning--;
    const next = this.#ahead.shift();
    if (next !== undefined) this.#begin(this.#lane(next.step), next);
  }

  /** Learnt time of one task, ms. */
  taskMs(step: string): number | undefined {
    const { estimate } = this.#lane(step);
    return estimate.count === 0 ? undefined : estimate.meanMs;
  }

  learn(step: string, wallMs: number): void {
    const lane = this.#lane(step);
    lane.estimate = learnDuration(lane.estimate, wallMs);
  }

  #take(lane: Lane<T>, first: T, isExclusive: boolean): PlannedBatch<T> {
    lane.passedOver = 0;
    const isSingle = first.isAlone || needsProcessPerAttempt(lane.step.declaration.options);
    const slots = Math.min(
      this.#limits.workersMax,
      isExclusive ? Infinity : this.#limits.slots,
      lane.step.declaration.options.concurrency ?? Infinity,
    );
    const size = isSingle
      ? 1
      : batchSize({ ready: lane.queue.length, slots, estimate: lane.estimate });
    let tasks = lane.queue.take(size);
    const stray = isSingle ? -1 : tasks.findIndex((task) => task.isAlone);
    if (stray > 0) {
      for (const task of tasks.slice(stray).reverse()) lane.queue.pushFront(task);
      tasks = tasks.slice(0, stray);
    }
    this.#ready -= tasks.length;
    return { step: lane.step.name, tasks, isExclusive, demand: lane.demand };
  }

  #begin(lane: Lane<T>, batch: PlannedBatch<T>): void {
    lane.running++;
    this.#running++;
    this.#used = plus(this.#used, batch.demand, 1);
    if (batch.isExclusive) return;
    lane.sharedRunning++;
    this.#sharedRunning++;
  }

  #lane(step: string): Lane<T> {
    return defined(this.#byStep.get(step), `step ${step}`);
  }
}

/** Whether the batch that `first` begins needs a process of its own. */
function mustBeExclusive(lane: Lane<Schedulable>, first: Schedulable): boolean {
  return (
    first.isAlone || lane.step.mustBeApart || needsProcessPerAttempt(lane.step.declaration.options)
  );
}
