/** A step of a run, and its tasks. */
import { childrenOf, parentsOf, stepNamed } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import { taskText } from "../../model/ids.ts";
import { logsOf, type LogLine } from "./run-logs-of.ts";
import type { RunRecord } from "./run-record.ts";
import { Task } from "./task.ts";

export interface TaskFilter {
  readonly state?: Task["state"];
}

export class Step {
  readonly pathspec: string;
  readonly name: string;
  readonly #run: RunRecord;

  constructor(run: RunRecord, name: string) {
    this.#run = run;
    this.name = name;
    this.pathspec = `${run.text}/${name}`;
  }

  /** Tasks that have ended, in the order of their indexes. @throws MfError PATHSPEC_NOT_FOUND where the flow has no such step */
  async *tasks({ state }: TaskFilter = {}): AsyncIterable<Task> {
    const records = await this.#run.tasks(this.name);
    const wanted = records.filter((task) => state === undefined || task.state === state);
    for await (const [record, fact] of this.#run.withFacts(wanted))
      yield new Task(this.#run, record, fact);
  }

  [Symbol.asyncIterator](): AsyncIterator<Task> {
    return this.tasks()[Symbol.asyncIterator]();
  }

  /** The task at that place in the foreachs, outermost first; without one the first task. @throws MfError PATHSPEC_NOT_FOUND */
  async task(...index: readonly number[]): Promise<Task> {
    const records = await this.#run.tasks(this.name);
    const wanted = index.join(",");
    const found =
      index.length === 0 ? records[0] : records.find((task) => task.index.join(",") === wanted);
    if (found !== undefined) {
      for await (const [record, fact] of this.#run.withFacts([found]))
        return new Task(this.#run, record, fact);
    }
    const known = records.slice(0, 5).map(taskText).join(", ");
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: `${this.#run.text}/${taskText({ step: this.name, index })}`,
      reason: "no such task has ended",
      hint: known === "" ? "None of the step's tasks has." : `There are: ${known}.`,
    });
  }

  /** Names of the steps that it waits for. */
  async parentSteps(): Promise<string[]> {
    await this.#run.stepNames(this.name);
    const graph = await this.#run.graph();
    const step = stepNamed(graph, this.name);
    return step === undefined ? [] : parentsOf(graph, step);
  }

  /** Names of the steps that wait for it. */
  async childSteps(): Promise<string[]> {
    await this.#run.stepNames(this.name);
    return childrenOf(await this.#run.graph(), this.name);
  }

  logs(): AsyncIterable<LogLine> {
    return logsOf(this.#run, { step: this.name });
  }

  toString(): string {
    return `Step(${this.pathspec})`;
  }
}
