/** The runs that something may be compared with: the newest of a flow, as many as it takes to say why and no more. */
import type { TaskOutput } from "../../engine/lookup/run-outputs.ts";
import { taskText, type TaskRef } from "../../model/ids.ts";
import type { Records } from "../records.ts";
import { readPastRun, type PastRun } from "./run-view.ts";

/** Older runs are not looked at: the nearest is nearly always among these. */
export const PAST_RUNS_MAX = 20;
/** Tasks of all of them together. */
const PAST_TASKS_MAX = 200_000;

export interface PastTaskOf {
  readonly view: PastRun;
  readonly output: TaskOutput;
}

export class PastRuns {
  readonly #records: Records;
  readonly #flow: string;
  #runs: Promise<readonly PastRun[]> | undefined;

  constructor(records: Records, flow: string) {
    this.#records = records;
    this.#flow = flow;
  }

  /** Newest first. Read when they are asked for: a plan in which all is known needs none. */
  all(): Promise<readonly PastRun[]> {
    this.#runs ??= this.#read();
    return this.#runs;
  }

  /** The same task in earlier runs, the newest first; what several runs share is told once. */
  async earlier(task: TaskRef): Promise<readonly PastTaskOf[]> {
    const found: PastTaskOf[] = [];
    const seen = new Set<string>();
    const text = taskText(task);
    for (const view of await this.all()) {
      const succeeded = view.tasks.get(text);
      if (succeeded === undefined) continue;
      const key = `${succeeded.memoKey}.${succeeded.result ?? ""}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const output = await view.outputOf(task);
      if (output !== undefined) found.push({ view, output });
    }
    return found;
  }

  async #read(): Promise<readonly PastRun[]> {
    const runs: PastRun[] = [];
    let tasks = 0;
    for (const summary of (await this.#records.runs(this.#flow)).slice(0, PAST_RUNS_MAX)) {
      const run = await readPastRun(this.#records, summary);
      if (run === undefined) continue;
      runs.push(run);
      tasks += run.tasks.size;
      if (tasks > PAST_TASKS_MAX) break;
    }
    return runs;
  }
}
