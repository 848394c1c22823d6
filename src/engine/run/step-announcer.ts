/** Says once when a step starts and once when it is complete, as the counts show it. */
import type { RunEffect } from "./run-events.ts";
import type { RunTally, StepTally } from "./run-tally.ts";
import type { LevelUnit, TaskUnit } from "./run-units.ts";

export class StepAnnouncer {
  readonly #tally: RunTally;
  readonly #say: (effect: RunEffect) => void;

  constructor(tally: RunTally, say: (effect: RunEffect) => void) {
    this.#tally = tally;
    this.#say = say;
  }

  started(tally: StepTally, now: number): void {
    if (tally.isStarted) return;
    tally.isStarted = true;
    tally.startedAtMs = now;
    this.#say({ t: "announce-step", step: tally.step.name, what: "started" });
  }

  finishedWhenOver(tally: StepTally): void {
    if (tally.isFinished || tally.running > 0 || !this.#tally.isOver(tally)) return;
    tally.isFinished = true;
    this.#say({ t: "announce-step", step: tally.step.name, what: "finished" });
  }

  skipped(unit: TaskUnit | LevelUnit): void {
    const tally = this.#tally.of(unit.step.name);
    tally.skipped++;
    if (unit.kind === "task") tally.total--;
    else this.levelClosed(unit.step.name);
    this.finishedWhenOver(tally);
  }

  /** Steps inside may just have learnt that they are complete (an empty list opens nothing). */
  levelClosed(step: string): void {
    const own = this.#tally.of(step);
    own.openLevels--;
    if (own.openLevels > 0) return;
    for (const tally of this.#tally.all())
      if (tally.step.levels.includes(step)) this.finishedWhenOver(tally);
  }
}
