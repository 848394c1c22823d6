/** Past runs of any flow, each read once, and who made what among them. */
import { resultIdOf } from "../../artifact/result-id.ts";
import type { TaskOutput } from "../../engine/lookup/run-outputs.ts";
import type { Fact } from "../../model/fact.ts";
import { runText, taskText, type Cid } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import { parsePathspec } from "../../model/pathspec.ts";
import type { Records } from "../records.ts";
import { readPastRun, type PastRun } from "./run-view.ts";

/** Runs that are searched for the maker of something. */
const SEARCHED_RUNS_MAX = 100;

export interface MadeBy {
  readonly run: PastRun;
  readonly output: TaskOutput;
}

export class RunLibrary {
  readonly #records: Records;
  readonly #runs = new Map<string, Promise<PastRun | undefined>>();
  readonly #lists = new Map<string, Promise<readonly RunSummary[]>>();

  constructor(records: Records) {
    this.#records = records;
  }

  get(summary: RunSummary): Promise<PastRun | undefined> {
    const key = runText(summary.run);
    let run = this.#runs.get(key);
    if (run === undefined) this.#runs.set(key, (run = readPastRun(this.#records, summary)));
    return run;
  }

  /** Newest first; of every flow where none is given. */
  list(flow?: string): Promise<readonly RunSummary[]> {
    let list = this.#lists.get(flow ?? "");
    if (list === undefined) this.#lists.set(flow ?? "", (list = this.#records.runs(flow)));
    return list;
  }

  /** The run that executed what `run` took over: the newest that was there before. */
  async makerOf(fact: Fact, run: PastRun): Promise<PastRun | undefined> {
    for await (const other of this.#before(run.ref.flow, run.summary.createdAt)) {
      if (other.run === run.run) continue;
      for (const task of other.tasks.values()) {
        const isSame = task.result === undefined || task.result === resultIdOf(fact);
        if (task.memoKey === fact.memoKey && task.attempt !== undefined && isSame) return other;
      }
    }
    return undefined;
  }

  /** The task that made what a from() stood for in a run that began at `at`. */
  async makerOfVersion(pathspec: string, id: Cid, at: number): Promise<MadeBy | undefined> {
    const spec = parsePathspec(pathspec);
    if (spec.k === "content" || spec.step === undefined || spec.artifact === undefined)
      return undefined;
    for await (const other of this.#before(spec.flow, at)) {
      const output = await other.outputOf({ step: spec.step, index: spec.index ?? [] });
      if (output?.fact.outputs[spec.artifact]?.id === id) return { run: other, output };
    }
    return undefined;
  }

  /** Every task that made this content, the newest run first; what several runs share once. */
  async makersOf(id: Cid, max: number): Promise<readonly MadeBy[]> {
    const found = new Map<string, MadeBy>();
    for (const summary of (await this.list()).slice(0, SEARCHED_RUNS_MAX)) {
      const run = await this.get(summary);
      for (const step of new Set([...(run?.tasks.values() ?? [])].map((task) => task.step))) {
        for (const output of (await run?.tasksOf(step)) ?? []) {
          const isMaker = Object.values(output.fact.outputs).some((ref) => ref.id === id);
          const key = `${output.fact.memoKey}.${resultIdOf(output.fact)}.${taskText(output)}`;
          if (!isMaker || run === undefined) continue;
          // The oldest run that has it is the one that made it.
          if (found.size < max || found.has(key)) found.set(key, { run, output });
        }
      }
    }
    return [...found.values()];
  }

  async *#before(flow: string, at: number): AsyncGenerator<PastRun> {
    const runs = (await this.list(flow)).filter(({ createdAt }) => createdAt <= at);
    for (const summary of runs.slice(0, SEARCHED_RUNS_MAX)) {
      const other = await this.get(summary);
      if (other !== undefined) yield other;
    }
  }
}
