/** What is known of one run, read once it has ended and again while it goes on. Run, Step and Task are views of it. */
import type { FlowPackage } from "../../code/flow-package.ts";
import { compareIndex } from "../../engine/lookup/run-outputs.ts";
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { MfError, type ErrorRecord } from "../../model/errors.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import { runText, taskText } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import { hasEnded } from "../run-result.ts";
import type { Library } from "./library.ts";

/** A task that has ended, as the run's journal has it. */
export interface TaskRecord {
  readonly step: string;
  readonly index: readonly number[];
  readonly state: "succeeded" | "failed" | "cancelled";
  /** Attempts that ended, those that failed or were lost too; 0 where it was reused. */
  readonly attempts: number;
  readonly isReused: boolean;
  readonly by: string;
  readonly at: number;
  readonly wallMs?: number;
  /** Of a task that succeeded. */
  readonly ref?: FactRef;
  readonly error?: ErrorRecord;
}

/** Facts read together. */
const FACTS_PAGE = 256;

export class RunRecord {
  readonly library: Library;
  readonly text: string;
  summary: RunSummary;
  #journal: Promise<readonly JournalEntry[]> | undefined;

  constructor(library: Library, summary: RunSummary) {
    this.library = library;
    this.summary = summary;
    this.text = runText(summary.run);
  }

  async refresh(): Promise<RunSummary> {
    if (hasEnded(this.summary)) return this.summary;
    this.summary = await this.library.records.side.run(this.text);
    return this.summary;
  }

  async journal(): Promise<readonly JournalEntry[]> {
    if (!hasEnded(this.summary)) return this.library.records.journal(this.summary.run);
    this.#journal ??= this.library.records.journal(this.summary.run).catch((error: unknown) => {
      this.#journal = undefined;
      throw error;
    });
    return this.#journal;
  }

  async started(): Promise<Extract<JournalEntry, { t: "run-started" }>> {
    for (const entry of await this.journal()) if (entry.t === "run-started") return entry;
    throw new MfError("RUN_NOT_FOUND", { run: this.text });
  }

  async flowPackage(): Promise<FlowPackage> {
    return this.library.records.flowPackage((await this.started()).packageId);
  }

  async graph(): Promise<FlowGraph> {
    return (await this.flowPackage()).graph;
  }

  /** @throws MfError PATHSPEC_NOT_FOUND */
  async stepNames(wanted?: string): Promise<string[]> {
    const names = Object.keys((await this.started()).codes);
    if (wanted === undefined || names.includes(wanted)) return names;
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: `${this.text}/${wanted}`,
      reason: `the flow has no step ${wanted}`,
      hint: `Its steps: ${names.join(", ")}.`,
    });
  }

  /** Tasks that have ended, in the order of the flow and of their indexes. */
  async tasks(step?: string): Promise<TaskRecord[]> {
    const found = new Map<string, TaskRecord>();
    const attempts = new Map<string, number>();
    for (const entry of await this.journal())
      for (const task of endedBy(entry)) {
        if (step !== undefined && task.step !== step) continue;
        const key = taskText(task);
        const count = (attempts.get(key) ?? 0) + task.attempts;
        attempts.set(key, count);
        if (task.state !== undefined)
          found.set(key, { ...task, state: task.state, attempts: count });
      }
    const names = await this.stepNames(step);
    return [...found.values()].sort(
      (a, b) => names.indexOf(a.step) - names.indexOf(b.step) || compareIndex(a.index, b.index),
    );
  }

  /** Each with its fact, a page of them at a time. */
  async *withFacts(
    tasks: readonly TaskRecord[],
  ): AsyncIterable<readonly [TaskRecord, Fact | undefined]> {
    for (let at = 0; at < tasks.length; at += FACTS_PAGE) {
      const page = tasks.slice(at, at + FACTS_PAGE);
      const done = page.flatMap((task) =>
        task.ref === undefined ? [] : [{ task, ref: task.ref }],
      );
      const facts = await this.library.records.facts(done.map(({ ref }) => ref));
      const byTask = new Map(done.map(({ task }, position) => [task, facts[position]]));
      for (const task of page) yield [task, byTask.get(task)];
    }
  }
}

type EndedTask = Omit<TaskRecord, "state"> & { readonly state?: TaskRecord["state"] };

/** Without a state: an attempt that another one follows. */
function endedBy(entry: JournalEntry): EndedTask[] {
  if (entry.t === "attempt-failed") {
    const { step, index, outcome, final, error, by, at } = entry;
    const task = { step, index, attempts: 1, isReused: false, by, at, error };
    return [final ? { ...task, state: outcome === "cancelled" ? "cancelled" : "failed" } : task];
  }
  if (entry.t !== "tasks-succeeded") return [];
  return entry.tasks.map(({ step, index, memoKey, result, attempt, by, wallMs }) => {
    const isReused = attempt === undefined;
    const ref = result === undefined ? { memoKey } : { memoKey, result };
    const attempts = isReused ? 0 : 1;
    return { step, index, state: "succeeded", attempts, isReused, by, at: entry.at, wallMs, ref };
  });
}
