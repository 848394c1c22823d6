/** Asks the store which tasks need not run, many at once: what becomes ready while one question is under way shares the next. */
import type { Fact } from "../../model/fact.ts";
import { LOOK_UPS_PER_TURN } from "./run-limits.ts";
import type { TaskUnit } from "./run-units.ts";
import { usableFacts, type FactSources } from "./usable-facts.ts";

export interface FactLookUpHooks {
  readonly found: (task: TaskUnit, fact: Fact | undefined) => void;
  readonly failed: (error: unknown) => void;
}

export class FactLookUps {
  readonly #sources: FactSources;
  readonly #hooks: FactLookUpHooks;
  #waiting: TaskUnit[] = [];
  #isAsking = false;

  constructor(sources: FactSources, hooks: FactLookUpHooks) {
    this.#sources = sources;
    this.#hooks = hooks;
  }

  add(task: TaskUnit): void {
    this.#waiting.push(task);
  }

  clear(): void {
    this.#waiting = [];
  }

  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (this.#waiting.length > 0) {
        const tasks = this.#waiting.splice(0, LOOK_UPS_PER_TURN);
        const facts = await usableFacts(tasks, this.#sources);
        for (const [position, task] of tasks.entries()) this.#hooks.found(task, facts[position]);
      }
    } catch (error) {
      this.#hooks.failed(error);
    }
    this.#isAsking = false;
  }
}
