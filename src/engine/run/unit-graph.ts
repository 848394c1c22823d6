/**
 * The growing graph of a run's units. A foreach opens copies of its members; each new unit counts what it waits for; a
 * finished unit releases its readers. Work is done in slices (`advance`), so that ten thousand copies never block the loop.
 */
import type { ArmRef, ValueRef } from "../../graph/flow-graph.ts";
import { assert, defined } from "../../std/assert.ts";
import { levelsOfRef, ROOT_LEVEL, type FlowPlan, type Member, type StepPlan } from "./flow-plan.ts";
import { resolveRef, type GivenValues, type ResolutionScope } from "./input-resolution.ts";
import { ELEMENTS_PER_UNIT } from "./run-limits.ts";
import {
  NO_UNITS,
  TaskUnit,
  UnitTable,
  type LevelUnit,
  type ListUnit,
  type SwitchUnit,
  type Unit,
} from "./run-units.ts";

export interface UnitGraphHooks {
  created(unit: Unit): void;
  /** Everything it waited for is there. */
  ready(unit: TaskUnit | LevelUnit | SwitchUnit): void;
  skipped(unit: TaskUnit | LevelUnit | SwitchUnit): void;
  opened(level: LevelUnit): void;
}

interface Opening {
  readonly level: LevelUnit;
  readonly members: readonly Member[];
  next: number;
}

export class UnitGraph implements ResolutionScope {
  readonly plan: FlowPlan;
  readonly given: GivenValues;
  readonly #hooks: UnitGraphHooks;
  readonly #tasks = new UnitTable<TaskUnit>();
  readonly #levels = new UnitTable<LevelUnit>();
  readonly #switches = new UnitTable<SwitchUnit>();
  readonly #lists = new Map<ValueRef, UnitTable<ListUnit>>();
  #queue: Unit[] = [];
  #head = 0;
  readonly #openings: Opening[] = [];
  readonly #depths = new Map<ValueRef, number>();

  constructor(plan: FlowPlan, given: GivenValues, hooks: UnitGraphHooks) {
    this.plan = plan;
    this.given = given;
    this.#hooks = hooks;
  }

  openRoot(): void {
    this.#instantiate(this.plan.members.get(ROOT_LEVEL) ?? [], [], undefined);
  }

  /** Its lists are loaded and it has `count` elements: copies of its members are made by `advance`. */
  open(level: LevelUnit): void {
    this.#openings.push({ level, members: this.plan.members.get(level.step.name) ?? [], next: 0 });
  }

  /** Does up to about `limit` units of work; true while there is more. */
  advance(limit: number): boolean {
    let done = 0;
    while (done < limit) {
      if (this.#head < this.#queue.length) {
        const unit = defined(this.#queue[this.#head++]);
        if (this.#head === this.#queue.length) {
          this.#queue = [];
          this.#head = 0;
        }
        this.#activate(unit);
        done++;
        continue;
      }
      const opening = this.#openings[0];
      if (opening === undefined) return false;
      if (opening.next === opening.level.count) {
        this.#openings.shift();
        this.#hooks.opened(opening.level);
        this.finish(opening.level);
        continue;
      }
      this.#instantiate(opening.members, [...opening.level.index, opening.next++], opening.level);
      done += opening.members.length;
    }
    return true;
  }

  /** Done, with its value: readers wait for one thing less. */
  finish(unit: Unit): void {
    unit.status = "done";
    const { waiters } = unit;
    unit.waiters = NO_UNITS;
    for (const waiter of waiters) this.#release(waiter);
  }

  /** The choice is made: arms go on (or are skipped), and the switch itself waits for the chosen value. */
  choose(unit: SwitchUnit, chosen: string): void {
    unit.chosen = chosen;
    unit.status = "waiting";
    unit.waits = 1;
    this.#await(unit, defined(unit.plan.declaration.cases[chosen]), unit.index);
    const { deciders } = unit;
    unit.deciders = [];
    for (const decider of deciders) this.#release(decider);
    this.#release(unit);
  }

  task(step: string, index: readonly number[]): TaskUnit {
    return defined(
      this.#tasks.get(step, cut(index, defined(this.plan.steps.get(step), step).levels.length)),
      `task ${step}[${index.join(",")}]`,
    );
  }

  decision(name: string, index: readonly number[]): SwitchUnit {
    return defined(
      this.#switches.get(
        name,
        cut(index, defined(this.plan.switches.get(name), name).levels.length),
      ),
      `switch ${name}`,
    );
  }

  list(ref: Extract<ValueRef, { k: "collect" }>, index: readonly number[]): ListUnit {
    const prefix = cut(index, this.#depthOf(ref.of) - 1);
    let table = this.#lists.get(ref);
    if (table === undefined) this.#lists.set(ref, (table = new UnitTable()));
    const known = table.get("", prefix);
    if (known !== undefined) return known;
    const levelName = defined(
      levelsOfRef(this.plan, ref.of).at(-1),
      "collect() of a value outside every foreach",
    );
    const level = defined(this.#levels.get(levelName, prefix), `level ${levelName}`);
    const unit: ListUnit = {
      kind: "list",
      index: prefix,
      waits: 1,
      mustSkip: false,
      status: "waiting",
      waiters: NO_UNITS,
      of: ref.of,
      level,
      isOpen: false,
      isWaiting: false,
      position: 0,
      items: [],
    };
    table.set("", prefix, unit);
    this.#hooks.created(unit);
    this.#waitFor(unit, level);
    this.#release(unit);
    return unit;
  }

  /** Units are made first and wired second, because an arm stands before its switch and may read its neighbours. */
  #instantiate(
    members: readonly Member[],
    index: readonly number[],
    level: LevelUnit | undefined,
  ): void {
    const units = members.map((member) => this.#create(member, index, level));
    for (const unit of units) {
      if (unit.kind === "switch") {
        this.#awaitArms(unit, unit.plan.arms);
        this.#await(unit, unit.plan.declaration.on, index);
      } else {
        this.#awaitArms(unit, unit.step.arms);
        this.#awaitStep(unit, unit.step);
      }
      this.#release(unit);
    }
  }

  #create(
    member: Member,
    index: readonly number[],
    level: LevelUnit | undefined,
  ): TaskUnit | LevelUnit | SwitchUnit {
    if (member.kind === "task") {
      const unit = new TaskUnit(
        member.step,
        index,
        member.step.eaches.length === 0 ? undefined : level,
      );
      this.#tasks.set(member.step.name, index, unit);
      this.#hooks.created(unit);
      return unit;
    }
    const base = {
      index,
      waits: 1,
      mustSkip: false,
      status: "waiting" as const,
      waiters: NO_UNITS,
    };
    if (member.kind === "switch") {
      const unit: SwitchUnit = { ...base, kind: "switch", plan: member.plan, deciders: [] };
      this.#switches.set(member.plan.name, index, unit);
      this.#hooks.created(unit);
      return unit;
    }
    const unit: LevelUnit = {
      ...base,
      kind: "level",
      step: member.step,
      lists: member.step.eaches.map(() => undefined),
      count: 0,
    };
    this.#levels.set(member.step.name, index, unit);
    this.#hooks.created(unit);
    return unit;
  }

  /** A level waits for the lists it iterates over; its tasks for everything else. */
  #awaitStep(unit: TaskUnit | LevelUnit, step: StepPlan): void {
    for (const [, ref] of step.inputs) {
      if (unit.kind === "level") {
        if (ref.k === "each") this.#await(unit, ref.of, unit.index);
      } else if (ref.k !== "each") this.#await(unit, ref, unit.index);
    }
  }

  #awaitArms(unit: Unit, arms: readonly ArmRef[]): void {
    for (const arm of arms) {
      const decision = this.decision(arm.switch, unit.index);
      if (decision.status === "skipped") unit.mustSkip = true;
      else if (decision.chosen === undefined) {
        decision.deciders.push(unit);
        unit.waits++;
      }
    }
  }

  #await(unit: Unit, ref: ValueRef, index: readonly number[]): void {
    if (ref.k === "out") this.#waitFor(unit, this.task(ref.step, index));
    else if (ref.k === "switch") this.#waitFor(unit, this.decision(ref.name, index));
    else if (ref.k === "collect") this.#waitFor(unit, this.list(ref, index));
    else assert(ref.k !== "each", "each() stands only as an input of its own");
  }

  #waitFor(unit: Unit, target: Unit): void {
    if (target.status === "done") return;
    if (target.status === "skipped") {
      // A collect leaves out what was skipped; every other reader is skipped with it.
      if (unit.kind !== "list" || !unit.isOpen) unit.mustSkip = true;
      return;
    }
    if (target.waiters === NO_UNITS) target.waiters = [unit];
    else target.waiters.push(unit);
    unit.waits++;
  }

  #release(unit: Unit): void {
    unit.waits--;
    if (unit.waits === 0) this.#queue.push(unit);
  }

  #activate(unit: Unit): void {
    if (unit.mustSkip || (unit.kind !== "list" && this.#isOtherArm(unit))) {
      this.#skip(unit);
    } else if (unit.kind === "list") {
      this.#collect(unit);
    } else if (unit.kind === "switch" && unit.chosen !== undefined) {
      this.finish(unit);
      this.#hooks.ready(unit);
    } else {
      unit.status = "active";
      this.#hooks.ready(unit);
    }
  }

  #isOtherArm(unit: TaskUnit | LevelUnit | SwitchUnit): boolean {
    const arms = unit.kind === "switch" ? unit.plan.arms : unit.step.arms;
    return arms.some((arm) => this.decision(arm.switch, unit.index).chosen !== arm.case);
  }

  #skip(unit: Unit): void {
    unit.status = "skipped";
    const waiters = unit.kind === "switch" ? [...unit.waiters, ...unit.deciders] : unit.waiters;
    unit.waiters = NO_UNITS;
    for (const waiter of waiters) {
      if (waiter.kind !== "list" || !waiter.isOpen) waiter.mustSkip = true;
      this.#release(waiter);
    }
    if (unit.kind !== "list") this.#hooks.skipped(unit);
  }

  /** A slice of a pass over the elements: thousands of them must not block the loop either. */
  #collect(unit: ListUnit): void {
    const { count } = unit.level;
    if (!unit.isOpen) {
      unit.isOpen = true;
      // One for the pass itself, so that it is not done before every element was asked.
      unit.waits = 1;
      unit.isWaiting = true;
    }
    const end = Math.min(count, unit.position + ELEMENTS_PER_UNIT);
    for (; unit.position < end; unit.position++) {
      const index = [...unit.index, unit.position];
      if (unit.isWaiting) this.#await(unit, unit.of, index);
      else if (!this.#isSkipped(unit.of, index)) unit.items.push(resolveRef(this, unit.of, index));
    }
    if (unit.position < count) {
      this.#queue.push(unit);
    } else if (unit.isWaiting) {
      unit.isWaiting = false;
      unit.position = 0;
      this.#release(unit);
    } else {
      unit.source = { k: "list", items: unit.items };
      this.finish(unit);
    }
  }

  #isSkipped(ref: ValueRef, index: readonly number[]): boolean {
    if (ref.k === "out") return this.task(ref.step, index).status === "skipped";
    if (ref.k === "switch") return this.decision(ref.name, index).status === "skipped";
    return ref.k === "collect" && this.list(ref, index).status === "skipped";
  }

  #depthOf(ref: ValueRef): number {
    let depth = this.#depths.get(ref);
    if (depth === undefined) this.#depths.set(ref, (depth = levelsOfRef(this.plan, ref).length));
    return depth;
  }
}

function cut(index: readonly number[], depth: number): readonly number[] {
  return index.length === depth ? index : index.slice(0, depth);
}
