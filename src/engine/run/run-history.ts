/**
 * What a journal says of a run that is to go on: which tasks have succeeded, what has failed how often, and whether the run was
 * already on its way to an end. Folded once, then asked by the run machine as each unit becomes ready.
 */
import { MfError } from "../../model/errors.ts";
import {
  runText,
  taskText,
  type MemoKey,
  type ResultId,
  type RunRef,
  type TaskRef,
} from "../../model/ids.ts";
import type { Fact } from "../../model/fact.ts";
import type { JournalEntry } from "../../model/journal.ts";
import { decideFailure, isPeersFault } from "./failure-decision.ts";
import type { PastTask } from "./past-task.ts";
import type { TaskUnit } from "./run-units.ts";

export type RunStarted = Extract<JournalEntry, { t: "run-started" }>;

const UNTRIED: PastTask = { attempt: 0, failures: 0, losses: 0, peerLosses: 0 };

export class RunHistory {
  readonly run: RunRef;
  readonly started: RunStarted;
  readonly #tasks: ReadonlyMap<string, PastTask>;
  /** A final failure (or cancellation) stands in the journal, its end does not. */
  readonly ending: "failing" | "cancelling" | undefined;

  constructor(run: RunRef, started: RunStarted, tasks: ReadonlyMap<string, PastTask>) {
    this.run = run;
    this.started = started;
    this.#tasks = tasks;
    const ends = new Set([...tasks.values()].map((task) => task.end));
    this.ending = ends.has("cancelled") ? "cancelling" : ends.has("failed") ? "failing" : undefined;
  }

  /** Of a task, or of a list or a decision that failed under this name. */
  of(step: string, index: readonly number[]): PastTask | undefined {
    return this.#tasks.get(taskText({ step, index }));
  }

  /** Gives the task the attempts it has behind it. */
  restore(task: TaskUnit): void {
    const past = this.of(task.step.name, task.index);
    if (past === undefined) return;
    const { options } = task.step.declaration;
    task.past = past;
    task.attempt = past.attempt;
    task.failures = past.failures;
    task.losses = past.losses;
    task.peerLosses = past.peerLosses;
    task.isAlone = past.error?.code === "STEP_CRASHED";
    if (past.failures === 0 || past.error === undefined) return;
    const decision = decideFailure(options, { failures: past.failures, wasCatching: false });
    if (decision.k === "catch") task.catching = past.error;
  }

  /** Made by this run, though its journal does not know: no reuse. One that verifies believes its journal only. */
  isOwn({ flow, run }: Pick<Fact, "flow" | "run">): boolean {
    if (this.started.origin?.how === "verify") return false;
    return run === this.run.id && flow === this.run.flow;
  }
}

/** @throws MfError RUN_NOT_FOUND (no beginning is stored here), RUN_ENDED */
export async function readHistory(
  run: RunRef,
  journal: AsyncIterable<JournalEntry>,
): Promise<RunHistory> {
  let started: RunStarted | undefined;
  const tasks = new Map<string, PastTask>();
  const change = (task: TaskRef, with_: (past: PastTask) => PastTask): void => {
    const key = taskText(task);
    tasks.set(key, with_(tasks.get(key) ?? UNTRIED));
  };
  for await (const entry of journal) {
    if (entry.t === "run-started") started = entry;
    else if (entry.t === "run-finished")
      throw new MfError("RUN_ENDED", { run: runText(run), state: entry.state });
    else if (entry.t === "tasks-succeeded")
      for (const succeeded of entry.tasks) change(succeeded, (past) => ({ ...past, succeeded }));
    else if (entry.t === "attempt-failed") change(entry, (past) => afterFailure(past, entry));
  }
  if (started === undefined) throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
  return new RunHistory(run, started, tasks);
}

function afterFailure(
  past: PastTask,
  { attempt, outcome, final, error }: Extract<JournalEntry, { t: "attempt-failed" }>,
): PastTask {
  const isPeer = isPeersFault(error);
  return {
    ...past,
    attempt: attempt + 1,
    failures: past.failures + (outcome === "failed" ? 1 : 0),
    losses: past.losses + (outcome === "lost" && !isPeer ? 1 : 0),
    peerLosses: past.peerLosses + (outcome === "lost" && isPeer ? 1 : 0),
    error,
    ...(final ? { end: outcome === "cancelled" ? ("cancelled" as const) : "failed" } : {}),
  };
}

export interface ReuseRule {
  readonly noCache: boolean;
  /** Steps that are executed whatever is known. */
  readonly rerun: ReadonlySet<string>;
  /** Memo key -> the result that is reused in any case. */
  readonly kept?: ReadonlyMap<MemoKey, ResultId>;
}

export function mayNotReuse(task: TaskUnit, { noCache, rerun }: ReuseRule): boolean {
  if (task.kept !== undefined) return false;
  return noCache || rerun.has(task.step.name) || !task.step.declaration.options.cache.enabled;
}

/** The journal has it as taken from the store, not as made by an attempt. */
export function isJournaledReuse({ past }: TaskUnit): boolean {
  return past?.succeeded !== undefined && past.succeeded.attempt === undefined;
}
