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
import {
  answers,
  type AttemptFailure,
  type RunEffect,
  type RunMachineEvent,
  type RunMachineOptions,
} from "./run-events.ts";
import { isJournaledReuse, mayNotReuse } from "./run-history.ts";
import { RunTally, type StepTally } from "./run-tally.ts";
import { StepAnnouncer } from "./step-announcer.ts";
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
  readonly #options: RunMachineOptions;
  readonly #graph: UnitGraph;
  readonly #tally: RunTally;
  readonly #announcer: StepAnnouncer;
  #effects: RunEffect[] = [];
  #now = 0;
  #phase: "waiting" | "running" | "failing" | "cancelling" | "over" = "waiting";
  /** Units that are neither done nor skipped. */
  #openUnits = 0;
  #running = 0;
  /** Questions that are not answered yet. */
  #asked = 0;
  #error: ErrorRecord | undefined;
  #endState: RunState = "succeeded";

  constructor(plan: FlowPlan, options: RunMachineOptions) {
    this.#options = options;
    this.#tally = new RunTally(plan);
    this.#announcer = new StepAnnouncer(this.#tally, (effect) => this.#effects.push(effect));
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
    this.#asked -= answers(event);
    switch (event.t) {
      case "started":
        this.#phase = "running";
        this.#graph.openRoot();
        this.#tally.isRootOpen = false;
        return;
      case "looked-up":
        return this.#lookedUp(event);
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
  get tally(): Pick<RunTally, "counts" | "of" | "progressOf" | "progressOfAll"> {
    return this.#tally;
  }

  #created(unit: Unit): void {
    if (unit.kind === "list") return;
    this.#openUnits++;
    this.#tally.created(unit);
  }

  #ready(unit: TaskUnit | LevelUnit | SwitchUnit): void {
    if (unit.kind === "task") return this.#identify(unit);
    const name = unit.kind === "level" ? unit.step.name : unit.plan.name;
    if (this.#hasEndedBefore(name, unit.index)) return;
    if (unit.kind === "level") return this.#loadElements(unit);
    if (unit.status === "done") {
      this.#openUnits--;
      return;
    }
    const source = this.#resolved(unit.plan.name, unit.index, () =>
      resolveRef(this.#graph, unit.plan.declaration.on, unit.index),
    );
    if (source !== undefined) this.#ask({ t: "read-value", unit, source });
  }

  #skipped(unit: TaskUnit | LevelUnit | SwitchUnit): void {
    this.#openUnits--;
    if (unit.kind === "switch") return;
    this.#announcer.skipped(unit);
  }

  #opened(level: LevelUnit): void {
    this.#openUnits--;
    this.#announcer.levelClosed(level.step.name);
  }

  #loadElements(level: LevelUnit): void {
    for (const [position, ref] of level.step.eaches.entries()) {
      const source = this.#resolved(level.step.name, level.index, () =>
        resolveRef(this.#graph, ref, level.index),
      );
      if (source === undefined) return;
      this.#ask({ t: "load-elements", level, position, source });
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

  #ask(question: Extract<RunEffect, { t: "look-up" | "load-elements" | "read-value" }>): void {
    this.#asked++;
    this.#effects.push(question);
  }

  /** Its end stands in the journal of the run that is gone on with. */
  #hasEndedBefore(step: string, index: readonly number[], task?: TaskUnit): boolean {
    const past = this.#options.history?.of(step, index);
    if (past?.end === undefined) return false;
    if (task !== undefined) task.phase = past.end;
    this.#tally.unitEnded(step, past.end, task !== undefined);
    if (past.error !== undefined) this.#error ??= past.error;
    return true;
  }

  #identify(task: TaskUnit): void {
    if (this.#hasEndedBefore(task.step.name, task.index, task)) return;
    this.#options.history?.restore(task);
    const identity = this.#resolved(
      task.step.name,
      task.index,
      () => taskIdentity(this.#graph, task, this.#options.seed),
      task,
    );
    if (identity === undefined) return;
    task.identity = identity;
    task.kept = this.#options.kept?.get(identity.memoKey);
    // A run that is gone on with finds what it made itself, whatever its cache options say.
    if (this.#options.history === undefined && mayNotReuse(task, this.#options))
      return this.#enqueue(task, false);
    task.phase = "looking-up";
    this.#ask({ t: "look-up", task });
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

  #lookedUp({ task, fact, isOthers = false }: Extract<RunMachineEvent, { t: "looked-up" }>): void {
    if (this.#phase !== "running") return;
    const isJournaled = task.past?.succeeded !== undefined;
    const isOwn = fact !== undefined && !isOthers && this.#options.history?.isOwn(fact) === true;
    if (fact === undefined || (!isJournaled && !isOwn && mayNotReuse(task, this.#options)))
      return this.#enqueue(task, false);
    if (!isJournaled) this.#effects.push({ t: "record-reuse", task, fact, isOwn });
    this.#succeed(task, fact, isJournaled ? isJournaledReuse(task) : !isOwn);
  }

  #enqueue(task: TaskUnit, isFront: boolean): void {
    const isEnding = this.#options.history?.ending !== undefined;
    task.phase = isEnding ? "cancelled" : "ready";
    if (!isEnding) this.#effects.push({ t: "enqueue", task, isFront });
  }

  #attemptStarted(task: TaskUnit): void {
    const tally = this.#tally.of(task.step.name);
    task.phase = "running";
    tally.running++;
    this.#running++;
    this.#announcer.started(tally, this.#now);
  }

  #attemptSucceeded(task: TaskUnit, fact: Fact): void {
    this.#ended(task);
    this.#succeed(task, fact, isJournaledReuse(task));
  }

  #succeed(task: TaskUnit, fact: Fact, isReuse: boolean): void {
    const tally = this.#tally.of(task.step.name);
    if (isReuse) tally.reused++;
    else tally.executed++;
    this.#announcer.started(tally, this.#now);
    task.phase = "succeeded";
    task.fact = fact;
    tally.endedAtMs = this.#now;
    this.#openUnits--;
    this.#graph.finish(task);
    this.#announcer.finishedWhenOver(tally);
  }

  #attemptFailed(task: TaskUnit, error: ErrorRecord, by?: string): void {
    const tally = this.#ended(task);
    const attempt = task.attempt++;
    task.failures++;
    const decision = decideFailure(task.step.declaration.options, {
      failures: task.failures,
      wasCatching: task.catching !== undefined,
    });
    if (this.#phase !== "running" || decision.k === "fail")
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
    this.#tally.unitEnded(step, "failed", task !== undefined);
    this.#effects.push({
      t: "record-failure",
      failure: { step, index, attempt: 0, outcome: "failed", isFinal: true, error },
    });
    this.#error ??= error;
    this.#stop("failing");
  }

  #stop(phase: "failing" | "cancelling"): void {
    // It ends anyway, once everything the journal has is counted.
    if (phase === "failing" && this.#options.history?.ending !== undefined) return;
    this.#phase = phase;
    this.#effects.push({ t: "stop-starting", isCancel: phase === "cancelling" });
  }

  #finishWhenOver(): void {
    const ending = this.#options.history?.ending;
    if (ending !== undefined && this.#phase === "running" && this.#asked === 0)
      this.#phase = ending;
    const isOver = this.#phase === "running" ? this.#openUnits === 0 : this.#running === 0;
    if (!isOver || this.#phase === "waiting" || this.#phase === "over") return;
    const state = END_STATES[this.#phase];
    this.#phase = "over";
    this.#endState = state;
    const error = state === "failed" && this.#error !== undefined ? { error: this.#error } : {};
    this.#effects.push({ t: "finish", state, ...error });
  }
}

function ranBy(by: string | undefined): { readonly by?: string } {
  return by === undefined ? {} : { by };
}
