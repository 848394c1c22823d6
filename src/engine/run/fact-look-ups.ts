/**
 * Which tasks need not run: asked of the store, many at once (what becomes ready while one question is under way shares the next), then
 * of whoever else may know. A task that somebody else is running stays here until that is over, and is looked up again.
 */
import type { Fact } from "../../model/fact.ts";
import type { MemoKey } from "../../model/ids.ts";
import { defined } from "../../std/assert.ts";
import type { RunShare, TaskKey } from "../work-sharing.ts";
import { LOOK_UPS_PER_TURN } from "./run-limits.ts";
import type { TaskUnit } from "./run-units.ts";
import { usableFacts, wantedFact, type FactSources } from "./usable-facts.ts";

export interface FactLookUpHooks {
  /** `isOthers`: another run was executing it, and this one waited. */
  readonly found: (task: TaskUnit, fact: Fact | undefined, isOthers: boolean) => void;
  readonly failed: (error: unknown) => void;
  /** False: its result is nobody else's business, nor theirs its own. */
  readonly mayShare: (task: TaskUnit) => boolean;
  /** False: it uses what others made, but nobody waits for this run, nor it for others. */
  readonly mayClaim: boolean;
}

export interface FactLookUpSources extends FactSources {
  readonly share: RunShare;
}

export class FactLookUps {
  readonly #sources: FactLookUpSources;
  readonly #hooks: FactLookUpHooks;
  #waiting: TaskUnit[] = [];
  /** What waits for an execution elsewhere is forgotten by changing this. */
  #round = 0;
  readonly #claimed = new Map<TaskUnit, MemoKey>();
  readonly #waited = new Set<TaskUnit>();
  #isAsking = false;

  constructor(sources: FactLookUpSources, hooks: FactLookUpHooks) {
    this.#sources = sources;
    this.#hooks = hooks;
  }

  add(task: TaskUnit): void {
    this.#waiting.push(task);
  }

  /** Nothing more is looked up, and what would have run here need not be waited for by others. */
  clear(): void {
    this.#waiting = [];
    this.#waited.clear();
    this.#round++;
    const idle = [...this.#claimed.keys()].filter(({ phase }) => phase !== "running");
    this.#settle(idle, false);
  }

  /** After every event of a task: once it is over, whoever waits for it may go on. */
  moved(task: TaskUnit): void {
    if (!this.#claimed.has(task)) return;
    if (task.phase === "succeeded") this.#settle([task], true);
    else if (task.phase === "failed" || task.phase === "cancelled") this.#settle([task], false);
  }

  leave(): void {
    this.clear();
    this.#claimed.clear();
    this.#sources.share.leave();
  }

  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#waiting.length > 0) {
        await this.#sources.share.ready;
        await this.#lookUp(this.#waiting.splice(0, LOOK_UPS_PER_TURN));
      }
    } catch (error) {
      this.#hooks.failed(error);
    }
    this.#isAsking = false;
  }

  /** Claimed first, looked up then: what was made in between is found, so without faults nothing is made twice. */
  async #lookUp(all: readonly TaskUnit[]): Promise<void> {
    const round = this.#round;
    const tasks = await this.#claim(all, round);
    if (tasks.length === 0) return;
    const facts = await this.#facts(tasks);
    // The run has stopped starting: nobody here takes the answer.
    if (round !== this.#round) return this.#settle(tasks, false);
    for (const [position, task] of tasks.entries())
      this.#hooks.found(task, facts[position], this.#waited.delete(task));
  }

  /** Those that are this run's to do; the others come back when whoever does them is done. */
  async #claim(all: readonly TaskUnit[], round: number): Promise<readonly TaskUnit[]> {
    const { mayClaim, mayShare } = this.#hooks;
    const shared = mayClaim ? all.filter((task) => mayShare(task)) : [];
    if (shared.length === 0) return all;
    const answers = await this.#sources.share.claim(shared.map(taskKeyOf));
    const others = new Set<TaskUnit>();
    for (const [position, task] of shared.entries()) {
      const over = answers[position];
      if (over === undefined) {
        this.#claimed.set(task, keyOf(task));
        continue;
      }
      others.add(task);
      this.#waited.add(task);
      void over.then(() => {
        if (round !== this.#round) return;
        this.add(task);
        void this.ask();
      });
    }
    return others.size === 0 ? all : all.filter((task) => !others.has(task));
  }

  async #facts(tasks: readonly TaskUnit[]): Promise<(Fact | undefined)[]> {
    const facts = await usableFacts(tasks, this.#sources);
    const missing = tasks.filter(
      (task, position) => facts[position] === undefined && this.#mayFind(task),
    );
    if (missing.length === 0) return facts;
    if (!(await this.#sources.share.find(missing.map(taskKeyOf)))) return facts;
    const brought = await usableFacts(missing, this.#sources);
    const byTask = new Map(missing.map((task, position) => [task, brought[position]]));
    return tasks.map((task, position) => facts[position] ?? byTask.get(task));
  }

  /** What the journal names may be anywhere, whatever the step's options say. */
  #mayFind(task: TaskUnit): boolean {
    return task.past?.succeeded !== undefined || this.#hooks.mayShare(task);
  }

  #settle(tasks: readonly TaskUnit[], isDone: boolean): void {
    const keys: MemoKey[] = [];
    for (const task of tasks) {
      const key = this.#claimed.get(task);
      if (key === undefined) continue;
      this.#claimed.delete(task);
      keys.push(key);
    }
    if (keys.length > 0) this.#sources.share.settle(keys, isDone);
  }
}

function keyOf({ identity }: TaskUnit): MemoKey {
  return defined(identity, "a task that is looked up knows its identity").memoKey;
}

function taskKeyOf(task: TaskUnit): TaskKey {
  return { code: task.step.code.codeId, ...wantedFact(task) };
}
