/**
 * A run as the explaining functions look at it: what it was given and what its tasks came to, whether it is of the past or only
 * planned.
 */
import type { FlowPackage } from "../../code/flow-package.ts";
import { isFlowPackage } from "../../code/is-flow-package.ts";
import { compareIndex, type TaskOutput } from "../../engine/lookup/run-outputs.ts";
import { isMfError } from "../../model/errors.ts";
import { runText, taskText, type Cid, type RunRef, type TaskRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary, TaskSucceeded } from "../../model/journal.ts";
import type { Records } from "../records.ts";

export interface RunView {
  /** `flow/id`; of a run that is only planned "". */
  readonly run: string;
  /** When it began, or is planned. */
  readonly at: number;
  readonly seed: string;
  readonly params: ReadonlyMap<string, GivenParam>;
  /** Pathspec of a from() -> what it stands for. */
  readonly versions: ReadonlyMap<string, Cid>;
  /** Source as the flow names it -> its version. */
  readonly sources: ReadonlyMap<string, string>;
  /** Undefined where its code is stored nowhere any more. */
  flowPackage(): Promise<FlowPackage | undefined>;
  /** What is known of a step's tasks, in index order. */
  tasksOf(step: string): Promise<readonly TaskOutput[]>;
}

export interface GivenParam {
  readonly id: Cid;
  readonly text: string;
}

export type RunStarted = Extract<JournalEntry, { t: "run-started" }>;

export class PastRun implements RunView {
  readonly run: string;
  readonly ref: RunRef;
  readonly summary: RunSummary;
  readonly started: RunStarted;
  readonly params: ReadonlyMap<string, GivenParam>;
  readonly versions: ReadonlyMap<string, Cid>;
  readonly sources: ReadonlyMap<string, string>;
  /** By their text: where a task succeeded twice the last counts. */
  readonly tasks: ReadonlyMap<string, TaskSucceeded>;
  readonly #records: Records;
  #package: Promise<FlowPackage | undefined> | undefined;
  readonly #outputs = new Map<string, Promise<ReadonlyMap<string, TaskOutput>>>();

  constructor(
    records: Records,
    { summary, started, tasks }: Pick<PastRun, "summary" | "started" | "tasks">,
  ) {
    this.#records = records;
    this.summary = summary;
    this.ref = summary.run;
    this.run = runText(summary.run);
    this.started = started;
    this.tasks = tasks;
    this.params = new Map(
      Object.entries(started.params).map(([name, id]) => [
        name,
        { id, text: started.paramTexts[name] ?? "" },
      ]),
    );
    this.versions = new Map(Object.entries(started.versions));
    this.sources = new Map(
      Object.entries(started.sources ?? {}).map(([name, { version }]) => [name, version]),
    );
  }

  get at(): number {
    return this.summary.createdAt;
  }

  get seed(): string {
    return this.started.seed;
  }

  flowPackage(): Promise<FlowPackage | undefined> {
    this.#package ??= this.#readPackage();
    return this.#package;
  }

  async #readPackage(): Promise<FlowPackage | undefined> {
    try {
      const stored: unknown = await this.#records.flowPackage(this.started.packageId);
      return isFlowPackage(stored) ? stored : undefined;
    } catch (error) {
      // Gone, or not what a run's code looks like: either way there is nothing to show of it.
      if (isMfError(error, "CONTENT_MISSING") || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  async tasksOf(step: string): Promise<readonly TaskOutput[]> {
    return [...(await this.#outputsOf(step)).values()];
  }

  async outputOf(task: TaskRef): Promise<TaskOutput | undefined> {
    return (await this.#outputsOf(task.step)).get(taskText(task));
  }

  #outputsOf(step: string): Promise<ReadonlyMap<string, TaskOutput>> {
    let known = this.#outputs.get(step);
    if (known === undefined) this.#outputs.set(step, (known = this.#read(step)));
    return known;
  }

  async #read(step: string): Promise<ReadonlyMap<string, TaskOutput>> {
    const tasks = [...this.tasks.values()]
      .filter((task) => task.step === step)
      .sort((a, b) => compareIndex(a.index, b.index));
    const facts = await this.#records.facts(tasks);
    const outputs = new Map<string, TaskOutput>();
    for (const [at, { index }] of tasks.entries()) {
      const fact = facts[at];
      if (fact !== undefined) outputs.set(taskText({ step, index }), { step, index, fact });
    }
    return outputs;
  }
}

/** Undefined where nothing of the run is left: it was removed, or none that has it can be reached. */
export async function readPastRun(
  records: Records,
  summary: RunSummary,
): Promise<PastRun | undefined> {
  const journal = await journalOf(records, summary.run);
  let started: RunStarted | undefined;
  const tasks = new Map<string, TaskSucceeded>();
  for (const entry of journal) {
    if (entry.t === "run-started") started = entry;
    else if (entry.t === "tasks-succeeded")
      for (const task of entry.tasks) tasks.set(taskText(task), task);
  }
  return started === undefined ? undefined : new PastRun(records, { summary, started, tasks });
}

async function journalOf(records: Records, run: RunRef): Promise<readonly JournalEntry[]> {
  try {
    return await records.journal(run);
  } catch (error) {
    if (isMfError(error, "RUN_NOT_FOUND")) return [];
    throw error;
  }
}
