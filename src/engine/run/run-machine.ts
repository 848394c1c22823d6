/**
 * The life of one run: which task may run, what a failure means, when it is over. Pure: events in, effects out; time and
 * content arrive in events. The state is private and changed in place, because a copy an event would be quadratic.
 * Rules R1 to R7 in the README.
 */
import { MfError, toErrorRecord, type ErrorRecord } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import type { RunState } from "../../model/journal.ts";
import { assert, unreachable } from "../../std/assert.ts";
import { countLoss, decideFailure } from "./failure-decision.ts";
import { chosenCase, type FlowPlan } from "./flow-plan.ts";
import { resolveRef } from "./input-resolution.ts";
import type {
  AttemptFailure,
  RunEffect,
  RunMachineEvent,
  RunMachineOptions,
} from "./run-events.ts";
import { RunTally, type StepTally } from "./run-tally.ts";
import {
  elementCount,
  type LevelUnit,
  type SwitchUnit,
  type TaskUnit,
  type Unit,
} from "./run-units.ts";
import { taskIdentity } from "./task-identity.ts";
import { UnitGraph } from "./unit-graph.ts";

const END_STATES = { running: "succeeded", failing: "failed", cancelling: "cancelled" } as const;
const CANCELLED: ErrorRecord = { code: "STEP_CANCELLED", details: {} };

export class RunMachine {
  readonly #plan: FlowPlan;
  readonly #options: RunMachineOptions;
  readonly #graph: UnitGraph;
  readonly #tally: RunTally;
  #effects: RunEffect[] = [];
  #now = 0;
  #phase: "waiting" | "running" | "failing" | "cancelling" | "over" = "waiting";
  /** Units that are neither done nor skipped. */
  #openUnits = 0;
  #running = 0;
  #error: ErrorRecord | undefined;
  #endState: RunState = "succeeded";

  constructor(plan: FlowPlan, options: RunMachineOptions) {
    this.#plan = plan;
    this.#options = options;
    this.#tally = new RunTally(plan);
    this.#graph = new UnitGraph(plan, options.given, {
      created: (unit) => this.#created(unit),
      ready: (unit) => this.#ready(unit),
      skipped: (unit) => this.#skipped(unit),
      opened: (level) => this.#opened(level),
    });
  }

  /** Takes one event in; what follows from it at once is in `takeEffects`, the rest is done by `advance`. */
  accept(event: RunMachineEvent, now: number): void {
    this.#now = now;
    switch (event.t) {
      case "started":
        this.#phase = "running";
        this.#graph.openRoot();
        this.#tally.isRootOpen = false;
        return;
      case "looked-up":
        return this.#lookedUp(event.task, event.fact);
      case "elements-loaded":
        if (this.#phase !== "running") return;
        event.level.lists[event.position] = event.list;
        return this.#openWhenLoaded(event.level);
      case "elements-refused":
        return this.#failUnit(event.level.step.name, event.level.index, event.error);
      case "value-read":
        return this.#valueRead(event.unit, event.value);
      case "value-refused":
        return this.#failUnit(event.unit.plan.name, event.unit.index, event.error);
      case "attempt-started":
        return this.#attemptStarted(event.task);
      case "attempt-succeeded":
        return this.#attemptSucceeded(event.task, event.fact);
      case "attempt-failed":
        return this.#attemptFailed(event.task, event.error, event.by);
      case "attempt-cancelled":
        return this.#attemptCancelled(event.task);
      case "attempt-lost":
        return this.#attemptLost(event);
      case "attempt-returned":
        return this.#attemptReturned(event.task);
      case "backoff-over":
        if (event.task.phase === "backing-off" && this.#phase === "running")
          this.#enqueue(event.task, false);
        return;
      case "cancel-asked":
        if (this.#phase === "running" || this.#phase === "failing") this.#stop("cancelling");
        return;
      default:
        unreachable(event);
    }
  }

  /** Does up to `limit` units of the work that waits; true while there is more. */
  advance(limit: number, now: number): boolean {
    this.#now = now;
    const hasMore = this.#phase === "running" && this.#graph.advance(limit);
    if (!hasMore) this.#finishWhenOver();
    return hasMore && this.#phase === "running";
  }

  takeEffects(): readonly RunEffect[] {
    const effects = this.#effects;
    if (effects.length > 0) this.#effects = [];
    return effects;
  }

  get state(): RunState {
    if (this.#phase === "waiting") return "waiting";
    return this.#phase === "over" ? this.#endState : "running";
  }

  /** The counts as they stand: to be read, not changed. */
  get tally(): Pick<RunTally, "counts" | "progressOf" | "progressOfAll"> {
    return this.#tally;
  }

  #created(unit: Unit): void {
    if (unit.kind === "list") return;
    this.#openUnits++;
    if (unit.kind === "task") this.#tally.of(unit.step.name).total++;
    else if (unit.kind === "level") this.#tally.of(unit.step.name).openLevels++;
  }

  #ready(unit: TaskUnit | LevelUnit | SwitchUnit): void {
    if (unit.kind === "task") return this.#identify(unit);
    if (unit.kind === "level") return this.#loadElements(unit);
    if (unit.status === "done") {
      this.#openUnits--;
      return;
    }
    const source = this.#resolved(unit.plan.name, unit.index, () =>
      resolveRef(this.#graph, unit.plan.declaration.on, unit.index),
    );
    if (source !== undefined) this.#effects.push({ t: "read-value", unit, source });
  }

  #skipped(unit: TaskUnit | LevelUnit | SwitchUnit): void {
    this.#openUnits--;
    if (unit.kind === "switch") return;
    const tally = this.#tally.of(unit.step.name);
    tally.skipped++;
    if (unit.kind === "task") tally.total--;
    else this.#levelClosed(unit);
    this.#announceWhenFinished(tally);
  }

  #opened(level: LevelUnit): void {
    this.#openUnits--;
    this.#levelClosed(level);
  }

  /** Steps inside may just have learnt that they are complete (an empty list opens nothing). */
  #levelClosed(level: LevelUnit): void {
    const own = this.#tally.of(level.step.name);
    own.openLevels--;
    if (own.openLevels > 0) return;
    for (const tally of this.#tally.all()) {
      if (tally.step.levels.includes(level.step.name)) this.#announceWhenFinished(tally);
    }
  }

  #loadElements(level: LevelUnit): void {
    for (const [position, ref] of level.step.eaches.entries()) {
      const source = this.#resolved(level.step.name, level.index, () =>
        resolveRef(this.#graph, ref, level.index),
      );
      if (source === undefined) return;
      this.#effects.push({ t: "load-elements", level, position, source });
    }
  }

  #openWhenLoaded(level: LevelUnit): void {
    const count = elementCount(level);
    if (count === undefined) return;
    const total = this.#tally.of(level.step.name).total + count;
    const max = this.#options.tasksMax;
    if (total > max) {
      const error = new MfError("TASKS_TOO_MANY", { step: level.step.name, count: total, max });
      return this.#failUnit(level.step.name, level.index, toErrorRecord(error));
    }
    level.count = count;
    this.#graph.open(level);
  }

  #valueRead(unit: SwitchUnit, value: string): void {
    if (this.#phase !== "running") return;
    const chosen = this.#resolved(unit.plan.name, unit.index, () => chosenCase(unit.plan, value));
    if (chosen !== undefined) this.#graph.choose(unit, chosen);
  }

  #identify(task: TaskUnit): void {
    const identity = this.#resolved(
      task.step.name,
      task.index,
      () => taskIdentity(this.#graph, task, this.#options.seed),
      task,
    );
    if (identity === undefined) return;
    task.identity = identity;
    if (this.#options.noCache || !task.step.declaration.options.cache.enabled)
      return this.#enqueue(task, false);
    task.phase = "looking-up";
    this.#effects.push({ t: "look-up", task });
  }

  /** A value that cannot be found is the failure of whoever reads it, never of the engine. */
  #resolved<T>(
    step: string,
    index: readonly number[],
    resolve: () => T,
    task?: TaskUnit,
  ): T | undefined {
    try {
      return resolve();
    } catch (error) {
      if (!(error instanceof MfError)) throw error;
      if (task !== undefined) task.phase = "failed";
      this.#failUnit(step, index, toErrorRecord(error), task);
      return undefined;
    }
  }

  #lookedUp(task: TaskUnit, fact: Fact | undefined): void {
    if (this.#phase !== "running") return;
    if (fact === undefined) return this.#enqueue(task, false);
    const tally = this.#tally.of(task.step.name);
    tally.reused++;
    this.#effects.push({ t: "record-reuse", task, fact });
    this.#succeed(task, fact, tally);
  }

  #enqueue(task: TaskUnit, isFront: boolean): void {
    task.phase = "ready";
    this.#effects.push({ t: "enqueue", task, isFront });
  }

  #attemptStarted(task: TaskUnit): void {
    const tally = this.#tally.of(task.step.name);
    task.phase = "running";
    tally.running++;
    this.#running++;
    this.#announceStart(tally);
  }

  #attemptSucceeded(task: TaskUnit, fact: Fact): void {
    const tally = this.#ended(task);
    tally.executed++;
    this.#succeed(task, fact, tally);
  }

  #succeed(task: TaskUnit, fact: Fact, tally: StepTally): void {
    this.#announceStart(tally);
    task.phase = "succeeded";
    task.fact = fact;
    tally.endedAtMs = this.#now;
    this.#openUnits--;
    this.#graph.finish(task);
    this.#announceWhenFinished(tally);
  }

  #attemptFailed(task: TaskUnit, error: ErrorRecord, by?: string): void {
    const tally = this.#ended(task);
    const attempt = task.attempt++;
    task.failures++;
    const wasCatching = task.catching !== undefined;
    const decision =
      this.#phase === "running"
        ? decideFailure(task.step.declaration.options, { failures: task.failures, wasCatching })
        : undefined;
    if (decision === undefined || decision.k === "fail")
      return this.#failTask(task, tally, {
        attempt,
        outcome: "failed",
        isFinal: true,
        error,
        ...ranBy(by),
      });
    const failure = { attempt, outcome: "failed", isFinal: false, error, ...ranBy(by) } as const;
    if (decision.k === "catch") {
      task.catching = error;
      this.#recordFailure(task, failure);
      return this.#enqueue(task, true);
    }
    this.#recordFailure(task, { ...failure, retryInMs: decision.afterMs });
    if (decision.afterMs <= 0) return this.#enqueue(task, false);
    task.phase = "backing-off";
    this.#effects.push({ t: "wake-later", task, afterMs: decision.afterMs });
  }

  #attemptLost({ task, error: why, by }: Extract<RunMachineEvent, { t: "attempt-lost" }>): void {
    const tally = this.#ended(task);
    const attempt = task.attempt++;
    const { error, isGivenUp } = countLoss(task, why);
    const isFinal = this.#phase !== "running" || isGivenUp;
    const failure = { attempt, outcome: "lost", isFinal, error, ...ranBy(by) } as const;
    if (isFinal) return this.#failTask(task, tally, failure);
    this.#recordFailure(task, failure);
    this.#enqueue(task, true);
  }

  #attemptReturned(task: TaskUnit): void {
    const tally = this.#ended(task);
    if (this.#phase === "running") return this.#enqueue(task, true);
    task.phase = "cancelled";
    if (this.#phase === "cancelling") tally.cancelled++;
  }

  #attemptCancelled(task: TaskUnit): void {
    if (this.#phase === "running") return this.#attemptFailed(task, CANCELLED);
    const tally = this.#ended(task);
    task.phase = "cancelled";
    tally.cancelled++;
    const { attempt } = task;
    this.#recordFailure(task, { attempt, outcome: "cancelled", isFinal: true, error: CANCELLED });
  }

  #ended(task: TaskUnit): StepTally {
    assert(task.phase === "running", "an attempt ends once");
    const tally = this.#tally.of(task.step.name);
    tally.running--;
    tally.endedAtMs = this.#now;
    this.#running--;
    return tally;
  }

  #failTask(
    task: TaskUnit,
    tally: StepTally,
    failure: Omit<AttemptFailure, "step" | "index">,
  ): void {
    task.phase = "failed";
    tally.failed++;
    this.#recordFailure(task, failure);
    this.#error ??= failure.error;
    if (this.#phase === "running") this.#stop("failing");
  }

  #recordFailure(task: TaskUnit, failure: Omit<AttemptFailure, "step" | "index">): void {
    this.#effects.push({
      t: "record-failure",
      failure: { step: task.step.name, index: task.index, ...failure },
    });
  }

  /** What is neither a task nor ran: a list that cannot be opened, a decision that cannot be made. Counted as one failed task of its step. */
  #failUnit(step: string, index: readonly number[], error: ErrorRecord, task?: TaskUnit): void {
    if (this.#phase !== "running") return;
    if (this.#plan.steps.has(step)) {
      const tally = this.#tally.of(step);
      tally.failed++;
      if (task === undefined) tally.total++;
    }
    this.#effects.push({
      t: "record-failure",
      failure: { step, index, attempt: 0, outcome: "failed", isFinal: true, error },
    });
    this.#error ??= error;
    this.#stop("failing");
  }

  #stop(phase: "failing" | "cancelling"): void {
    this.#phase = phase;
    this.#effects.push({ t: "stop-starting", isCancel: phase === "cancelling" });
  }

  #finishWhenOver(): void {
    const isOver = this.#phase === "running" ? this.#openUnits === 0 : this.#running === 0;
    if (!isOver || this.#phase === "waiting" || this.#phase === "over") return;
    const state = END_STATES[this.#phase];
    this.#phase = "over";
    this.#endState = state;
    this.#effects.push({
      t: "finish",
      state,
      ...(state !== "failed" || this.#error === undefined ? {} : { error: this.#error }),
    });
  }

  #announceStart(tally: StepTally): void {
    if (tally.isStarted) return;
    tally.isStarted = true;
    tally.startedAtMs = this.#now;
    this.#effects.push({ t: "announce-step", step: tally.step.name, what: "started" });
  }

  #announceWhenFinished(tally: StepTally): void {
    if (tally.isFinished || tally.running > 0 || !this.#tally.isOver(tally)) return;
    tally.isFinished = true;
    this.#effects.push({ t: "announce-step", step: tally.step.name, what: "finished" });
  }
}

function ranBy(by: string | undefined): { readonly by?: string } {
  return by === undefined ? {} : { by };
}
