/** Counts of a run, step by step, kept as events happen so that asking costs nothing. */
import type { StepProgress } from "../run-api.ts";
import type { TaskCounts } from "../../model/journal.ts";
import type { LevelUnit, SwitchUnit, TaskUnit } from "./run-units.ts";
import { defined } from "../../std/assert.ts";
import type { FlowPlan, StepPlan } from "./flow-plan.ts";

export interface StepTally {
  readonly step: StepPlan;
  total: number;
  running: number;
  executed: number;
  reused: number;
  failed: number;
  cancelled: number;
  skipped: number;
  /** Openings of this step's own foreach that are not over. */
  openLevels: number;
  isStarted: boolean;
  isFinished: boolean;
  startedAtMs?: number;
  endedAtMs?: number;
}

export class RunTally {
  readonly #steps = new Map<string, StepTally>();
  /** Until what stands outside every foreach is made, no total is known. */
  isRootOpen = true;

  constructor(plan: FlowPlan) {
    for (const step of plan.steps.values()) {
      this.#steps.set(step.name, {
        step,
        total: 0,
        running: 0,
        executed: 0,
        reused: 0,
        failed: 0,
        cancelled: 0,
        skipped: 0,
        openLevels: 0,
        isStarted: false,
        isFinished: false,
      });
    }
  }

  of(step: string): StepTally {
    return defined(this.#steps.get(step), `step ${step}`);
  }

  created(unit: TaskUnit | LevelUnit | SwitchUnit): void {
    if (unit.kind === "task") this.of(unit.step.name).total++;
    else if (unit.kind === "level") this.of(unit.step.name).openLevels++;
  }

  /** Without a success. What is no task (a list that cannot be opened) counts as one of its step. */
  unitEnded(step: string, end: "failed" | "cancelled", isTask: boolean): void {
    const tally = this.#steps.get(step);
    if (tally === undefined) return;
    tally[end]++;
    if (!isTask) tally.total++;
  }

  all(): IterableIterator<StepTally> {
    return this.#steps.values();
  }

  /** Levels are known outermost first: one is, once all its openings are over and those around it are known. */
  isTotalKnown(tally: StepTally): boolean {
    return !this.isRootOpen && tally.step.levels.every((level) => this.of(level).openLevels === 0);
  }

  isOver(tally: StepTally): boolean {
    return tally.executed + tally.reused + tally.failed === tally.total && this.isTotalKnown(tally);
  }

  counts(): TaskCounts {
    const counts = { total: 0, succeeded: 0, failed: 0, reused: 0, executed: 0 };
    for (const tally of this.#steps.values()) {
      counts.total += tally.total;
      counts.succeeded += tally.executed + tally.reused;
      counts.failed += tally.failed;
      counts.reused += tally.reused;
      counts.executed += tally.executed;
    }
    return counts;
  }

  progressOfAll(now: number): StepProgress[] {
    return [...this.#steps.keys()].map((step) => this.progressOf(step, now));
  }

  progressOf(step: string, now: number): StepProgress {
    const tally = this.of(step);
    const isKnown = this.isTotalKnown(tally);
    const wallMs =
      tally.startedAtMs === undefined
        ? 0
        : (tally.running > 0 ? now : (tally.endedAtMs ?? now)) - tally.startedAtMs;
    return {
      name: tally.step.name,
      state: this.#stateOf(tally, isKnown),
      ...(isKnown ? { total: tally.total } : {}),
      running: tally.running,
      succeeded: tally.executed + tally.reused,
      failed: tally.failed,
      reused: tally.reused,
      wallMs,
    };
  }

  #stateOf(tally: StepTally, isKnown: boolean): StepProgress["state"] {
    if (tally.failed > 0) return "failed";
    if (tally.cancelled > 0) return "cancelled";
    const succeeded = tally.executed + tally.reused;
    if (isKnown && succeeded === tally.total)
      return tally.total === 0 && tally.skipped > 0 ? "skipped" : "succeeded";
    return tally.isStarted ? "running" : "waiting";
  }
}
