/**
 * What a run waits for. A unit counts what it still needs (`waits`) and knows who needs it (`waiters`), so finishing one
 * touches only its readers: ten thousand tasks never mean a scan. Units belong to one run machine, which alone changes them.
 */
import type { ValueRef } from "../../graph/flow-graph.ts";
import type { ErrorRecord } from "../../model/errors.ts";
import type { Fact, InputSource, TaskInputs } from "../../model/fact.ts";
import type { MemoKey, ResultId } from "../../model/ids.ts";
import type { StepPlan, SwitchPlan } from "./flow-plan.ts";
import type { PastTask } from "./past-task.ts";

export type Unit = TaskUnit | LevelUnit | SwitchUnit | ListUnit;

/** Shared by all that have no readers yet; replaced, never changed. */
export const NO_UNITS: Unit[] = [];

interface UnitBase {
  readonly index: readonly number[];
  waits: number;
  /** Something this unit reads was skipped: so is it. */
  mustSkip: boolean;
  status: "waiting" | "active" | "done" | "skipped";
  waiters: Unit[];
}

/** One task of the run. A class, because ten thousand of them should have one shape. */
export class TaskUnit implements UnitBase {
  readonly kind = "task";
  readonly index: readonly number[];
  waits = 1;
  mustSkip = false;
  status: UnitBase["status"] = "waiting";
  waiters: Unit[] = NO_UNITS;
  readonly step: StepPlan;
  /** The opening that made it, where the step iterates itself. */
  readonly level: LevelUnit | undefined;
  phase: TaskPhase = "waiting";
  /** What is known once the inputs are. */
  identity: TaskIdentity | undefined = undefined;
  fact: Fact | undefined = undefined;
  /** Number of the next (or the running) attempt. */
  attempt = 0;
  failures = 0;
  losses = 0;
  /** Attempts lost with the peer that ran them: no fault of the task's. */
  peerLosses = 0;
  /** After a loss: a process of its own. */
  isAlone = false;
  /** The step has failed for good: its catch handler is called with this. */
  catching: ErrorRecord | undefined = undefined;
  /** What the journal has of it, where the run is gone on with. */
  past: PastTask | undefined = undefined;
  /** Which result is reused in any case, where the run was given one. */
  kept: ResultId | undefined = undefined;

  constructor(step: StepPlan, index: readonly number[], level: LevelUnit | undefined) {
    this.step = step;
    this.index = index;
    this.level = level;
  }
}

export type TaskPhase =
  | "waiting"
  | "looking-up"
  | "ready"
  | "running"
  | "backing-off"
  | "succeeded"
  | "failed"
  | "cancelled";

export interface TaskIdentity {
  readonly inputs: TaskInputs;
  readonly inputIds: Readonly<Record<string, string>>;
  readonly seed: string;
  readonly memoKey: MemoKey;
}

/** One opening of a foreach: at `index` (of the levels around it) the step gets `count` tasks. */
export interface LevelUnit extends UnitBase {
  readonly kind: "level";
  readonly step: StepPlan;
  /** One list for each each(), undefined until it is loaded. */
  lists: (ElementList | undefined)[];
  count: number;
}

/** The elements of a list, each a value with its own identity. */
export interface ElementList {
  readonly count: number;
  at(position: number): InputSource;
}

/** One decision. Arms wait in `deciders` for the choice; readers of its value wait in `waiters` for the chosen value. */
export interface SwitchUnit extends UnitBase {
  readonly kind: "switch";
  readonly plan: SwitchPlan;
  chosen?: string;
  deciders: Unit[];
}

/** One collect() at one index: first waits for the level to open, then for every element's value. */
export interface ListUnit extends UnitBase {
  readonly kind: "list";
  readonly of: ValueRef;
  readonly level: LevelUnit;
  isOpen: boolean;
  /** The pass that waits for the elements goes on; after it comes the one that takes them in. */
  isWaiting: boolean;
  /** Elements looked at so far in that pass. */
  position: number;
  items: InputSource[];
  source?: InputSource;
}

/** Units are found by step (or switch) and index. The last position is an array's, so that a foreach costs no text a task. */
export class UnitTable<T> {
  readonly #byName = new Map<string, Map<string, T[]>>();

  get(name: string, index: readonly number[]): T | undefined {
    return this.#byName.get(name)?.get(prefixOf(index))?.[index.at(-1) ?? 0];
  }

  set(name: string, index: readonly number[], unit: T): void {
    let units = this.#byName.get(name);
    if (units === undefined) this.#byName.set(name, (units = new Map()));
    const prefix = prefixOf(index);
    let row = units.get(prefix);
    if (row === undefined) units.set(prefix, (row = []));
    row[index.at(-1) ?? 0] = unit;
  }
}

/** How many elements an opening has, undefined until all its lists are loaded. */
export function elementCount({ lists }: LevelUnit): number | undefined {
  let count = 1;
  for (const list of lists) {
    if (list === undefined) return undefined;
    count *= list.count;
  }
  return count;
}

/** Row-major: the last each() of a step turns fastest. */
export function elementAt(level: LevelUnit, position: number, eachPosition: number): InputSource {
  let rest = position;
  for (let i = level.lists.length - 1; i > eachPosition; i--)
    rest = Math.floor(rest / (level.lists[i]?.count ?? 1));
  const list = level.lists[eachPosition] as ElementList;
  return list.at(rest % list.count);
}

/** A name's indexes are all of one length, so none is mistaken for another. */
function prefixOf(index: readonly number[]): string {
  return index.length < 2 ? "" : index.slice(0, -1).join(",");
}
