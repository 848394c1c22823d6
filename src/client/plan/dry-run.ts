/**
 * A run without running: the real run machine is fed with what is stored, so that what is found goes on as it would, and what would
 * be handed to a worker is noted and left.
 */
import type { ErrorRecord } from "../../model/errors.ts";
import { MfError, toErrorRecord } from "../../model/errors.ts";
import type { Fact, InputSource } from "../../model/fact.ts";
import { RunMachine } from "../../engine/run/run-machine.ts";
import type { FlowPlan } from "../../engine/run/flow-plan.ts";
import type { RunEffect, RunMachineOptions } from "../../engine/run/run-events.ts";
import { UNITS_PER_TURN } from "../../engine/run/run-limits.ts";
import type { ElementList, TaskUnit } from "../../engine/run/run-units.ts";
import type { StepProgress } from "../../engine/run-api.ts";

export interface DryRunDeps {
  /** In the order asked: what may be used instead of running the task. */
  usable(tasks: readonly TaskUnit[]): Promise<readonly (Fact | undefined)[]>;
  elements(step: string, source: InputSource): Promise<ElementList>;
  switchValue(name: string, source: InputSource): Promise<string>;
}

export interface DryRun {
  readonly reused: readonly { readonly task: TaskUnit; readonly fact: Fact }[];
  /** Each knows its identity. */
  readonly toRun: readonly TaskUnit[];
  /** Of all steps; `total` is undefined where it hangs on what has not run. */
  readonly steps: readonly StepProgress[];
  /** What would end the run before a step runs: a list that is none, a switch without a case. */
  readonly failures: readonly { readonly step: string; readonly error: ErrorRecord }[];
}

/** More questions than this at a time would be one very long answer. */
const LOOK_UPS_MAX = 4000;

export async function dryRun(
  plan: FlowPlan,
  options: RunMachineOptions,
  deps: DryRunDeps,
): Promise<DryRun> {
  const driver = new DryDriver(new RunMachine(plan, options), deps);
  await driver.drive();
  return driver.result();
}

class DryDriver {
  readonly #machine: RunMachine;
  readonly #deps: DryRunDeps;
  readonly #reused: { task: TaskUnit; fact: Fact }[] = [];
  readonly #toRun: TaskUnit[] = [];
  readonly #failures: { step: string; error: ErrorRecord }[] = [];

  constructor(machine: RunMachine, deps: DryRunDeps) {
    this.#machine = machine;
    this.#deps = deps;
  }

  async drive(): Promise<void> {
    this.#machine.accept({ t: "started" }, 0);
    for (let effects = this.#settled(); effects.length > 0; effects = this.#settled())
      await this.#perform(effects);
  }

  result(): DryRun {
    return {
      reused: this.#reused,
      toRun: this.#toRun,
      steps: this.#machine.tally.progressOfAll(0),
      failures: this.#failures,
    };
  }

  /** What the machine orders once it has nothing more to do by itself. */
  #settled(): readonly RunEffect[] {
    while (this.#machine.advance(UNITS_PER_TURN, 0)) continue;
    return this.#machine.takeEffects();
  }

  async #perform(effects: readonly RunEffect[]): Promise<void> {
    const lookUps: TaskUnit[] = [];
    for (const effect of effects) {
      if (effect.t === "look-up") lookUps.push(effect.task);
      else if (effect.t === "enqueue") this.#toRun.push(effect.task);
      else if (effect.t === "record-reuse") this.#reused.push(effect);
      else if (effect.t === "record-failure")
        this.#failures.push({ step: effect.failure.step, error: effect.failure.error });
      else if (effect.t === "load-elements") await this.#loadElements(effect);
      else if (effect.t === "read-value") await this.#readValue(effect);
    }
    for (let at = 0; at < lookUps.length; at += LOOK_UPS_MAX) {
      const tasks = lookUps.slice(at, at + LOOK_UPS_MAX);
      const facts = await this.#deps.usable(tasks);
      for (const [position, task] of tasks.entries())
        this.#machine.accept({ t: "looked-up", task, fact: facts[position] }, 0);
    }
  }

  async #loadElements({
    level,
    position,
    source,
  }: Extract<RunEffect, { t: "load-elements" }>): Promise<void> {
    try {
      const list = await this.#deps.elements(level.step.name, source);
      this.#machine.accept({ t: "elements-loaded", level, position, list }, 0);
    } catch (error) {
      this.#machine.accept({ t: "elements-refused", level, error: userError(error) }, 0);
    }
  }

  async #readValue({ unit, source }: Extract<RunEffect, { t: "read-value" }>): Promise<void> {
    try {
      const value = await this.#deps.switchValue(unit.plan.name, source);
      this.#machine.accept({ t: "value-read", unit, value }, 0);
    } catch (error) {
      this.#machine.accept({ t: "value-refused", unit, error: userError(error) }, 0);
    }
  }
}

/** What the run would say of the flow; everything else is a failure of planning. */
function userError(error: unknown): ErrorRecord {
  if (error instanceof MfError && error.code !== "CONTENT_MISSING") return toErrorRecord(error);
  throw error;
}
