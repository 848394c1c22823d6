/** The list of runs, and one of them in full: what `mf ls` and `mf status` show. Reads only what the store holds. */
import { toErrorRecord, MfError, type ErrorRecord } from "../model/errors.ts";
import { runText, taskText, type RunRef } from "../model/ids.ts";
import type { JournalEntry, RunState, RunSummary } from "../model/journal.ts";
import { parsePathspec } from "../model/pathspec.ts";
import type { Store } from "../store/ports.ts";
import type { RunProgress } from "../engine/run-api.ts";
import type { FlowPackage } from "../code/flow-package.ts";
import { findRun, type RunLists } from "../engine/lookup/run-lookup.ts";

export interface ListRunsOptions {
  readonly flow?: string;
  readonly state?: RunState;
  readonly limit?: number;
}

/** The document of `mf status --json`. */
export interface RunStatus {
  readonly run: string;
  readonly flow: string;
  readonly state: RunState;
  readonly owner: string;
  /** The keepers agreed on every task's fact; without a mesh, the journal's end is that agreement. */
  readonly sealed: boolean;
  readonly steps: readonly StepStatus[];
  readonly attempts: { readonly total: number; readonly lost: number; readonly failed: number };
  readonly error?: ErrorRecord;
}

export interface StepStatus {
  readonly name: string;
  readonly state: "waiting" | "running" | "succeeded" | "failed" | "cancelled" | "skipped";
  readonly tasks: {
    readonly total: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly reused: number;
    readonly running: number;
  };
  /** Peer -> tasks of this step whose fact it made. */
  readonly peers: Readonly<Record<string, number>>;
}

/** Newest first. */
export async function listRuns(
  store: Pick<Store, "runs">,
  options: ListRunsOptions = {},
): Promise<RunSummary[]> {
  const runs = (await store.runs(options.flow)).filter(
    (summary) => options.state === undefined || summary.state === options.state,
  );
  return options.limit === undefined ? runs : runs.slice(0, options.limit);
}

/** `text`: `flow/run`, the run as in findRun. @throws MfError RUN_NOT_FOUND, TAG_NOT_FOUND, PATHSPEC_INVALID, PATHSPEC_AMBIGUOUS */
export async function resolveRun(store: RunLists, text: string): Promise<RunSummary> {
  const spec = parsePathspec(text);
  if (spec.k === "content" || spec.run === undefined || spec.step !== undefined)
    throw new MfError("PATHSPEC_INVALID", {
      text,
      reason: "a run is named flow/run, as in sweep/latest",
    });
  return findRun(store, spec.flow, spec.run);
}

/** State = fold(journal). @throws MfError RUN_NOT_FOUND */
export async function runStatus(store: Store, run: RunRef): Promise<RunStatus> {
  const summary = await store.getRun(run);
  if (summary === undefined) throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
  const fold = new StatusFold();
  for await (const entry of store.journal(run)) fold.add(entry);
  await fold.nameSteps(store);
  const state = fold.end?.state ?? summary.state;
  const steps = fold.steps(state);
  const error = fold.end?.error;
  return {
    run: runText(run),
    flow: run.flow,
    state,
    owner: fold.owner,
    sealed: state === "succeeded",
    steps,
    attempts: { total: fold.attempts, lost: fold.lost, failed: fold.failed },
    ...(error === undefined ? {} : { error }),
  };
}

/** What the process that runs it knows beyond the journal: what is planned, and what is running now. */
export function withProgress(status: RunStatus, progress: RunProgress): RunStatus {
  const byName = new Map(progress.steps.map((step) => [step.name, step]));
  const steps = status.steps.map((step) => {
    const now = byName.get(step.name);
    if (now === undefined) return step;
    const { succeeded, failed, reused, running } = now;
    // Until all its foreachs are open, what is known of a step is what has begun.
    const total = now.total ?? succeeded + failed + running;
    return {
      ...step,
      state: now.state,
      tasks: { total, succeeded, failed, reused, running },
    };
  });
  return { ...status, state: progress.state, steps };
}

interface StepFold {
  readonly succeeded: Set<string>;
  readonly failed: Set<string>;
  readonly cancelled: Set<string>;
  readonly peers: Map<string, number>;
  reused: number;
}

class StatusFold {
  readonly #steps = new Map<string, StepFold>();
  #start: Extract<JournalEntry, { t: "run-started" }> | undefined;
  end: { readonly state: RunState; readonly error?: ErrorRecord } | undefined;
  owner = "local";
  attempts = 0;
  lost = 0;
  failed = 0;

  add(entry: JournalEntry): void {
    switch (entry.t) {
      case "run-started":
        this.#start = entry;
        return;
      case "owner-changed":
        this.owner = entry.owner.name;
        return;
      case "tasks-succeeded":
        for (const task of entry.tasks) {
          const step = this.#step(task.step);
          step.succeeded.add(taskText(task));
          step.peers.set(task.by, (step.peers.get(task.by) ?? 0) + 1);
          if (task.attempt === undefined) step.reused++;
          else this.attempts++;
        }
        return;
      case "attempt-failed": {
        this.attempts++;
        if (entry.outcome === "lost") this.lost++;
        else if (entry.outcome === "failed") this.failed++;
        if (entry.final)
          this.#step(entry.step)[entry.outcome === "cancelled" ? "cancelled" : "failed"].add(
            taskText(entry),
          );
        return;
      }
      case "run-finished":
        this.end =
          entry.error === undefined
            ? { state: entry.state }
            : { state: entry.state, error: entry.error };
    }
  }

  /** Steps in the order of the flow, which the stored package knows, also those of which nothing ran. */
  async nameSteps(store: Pick<Store, "read">): Promise<void> {
    if (this.#start === undefined) return;
    const flowPackage = JSON.parse(
      Buffer.from(await store.read(this.#start.packageId)).toString("utf8"),
    ) as FlowPackage;
    const known = new Map(this.#steps);
    this.#steps.clear();
    for (const { name } of flowPackage.graph.steps)
      this.#steps.set(name, known.get(name) ?? emptyStep());
  }

  steps(state: RunState): StepStatus[] {
    return [...this.#steps].map(([name, step]) => {
      const succeeded = step.succeeded.size;
      const total = succeeded + step.failed.size + step.cancelled.size;
      return {
        name,
        state: stepState(step, state),
        tasks: { total, succeeded, failed: step.failed.size, reused: step.reused, running: 0 },
        peers: Object.fromEntries(step.peers),
      };
    });
  }

  #step(name: string): StepFold {
    let step = this.#steps.get(name);
    if (step === undefined) this.#steps.set(name, (step = emptyStep()));
    return step;
  }
}

function emptyStep(): StepFold {
  return {
    succeeded: new Set(),
    failed: new Set(),
    cancelled: new Set(),
    peers: new Map(),
    reused: 0,
  };
}

function stepState(step: StepFold, run: RunState): StepStatus["state"] {
  if (step.failed.size > 0) return "failed";
  if (step.cancelled.size > 0) return "cancelled";
  if (run === "succeeded") return step.succeeded.size > 0 ? "succeeded" : "skipped";
  if (step.succeeded.size === 0) return "waiting";
  return run === "running" ? "running" : "succeeded";
}

/** Runs that say `running` though their process is gone (it was killed) are closed as failed. Call it with the store held. */
export async function closeInterruptedRuns(
  store: Store,
  { isAlive, now }: { readonly isAlive: (pid: number) => boolean; readonly now: number },
): Promise<RunSummary[]> {
  const closed: RunSummary[] = [];
  const error = toErrorRecord(new MfError("INTERRUPTED"));
  for (const summary of await store.runs()) {
    if (summary.state !== "running" && summary.state !== "waiting") continue;
    // A run of a mesh goes on wherever its owner is; daemon/ownership knows.
    if (summary.owner !== undefined || isAlive(summary.pid)) continue;
    const counts = await journalCounts(store, summary);
    const ended: RunSummary = { ...summary, state: "failed", finishedAt: now, counts };
    await store.commit({
      journal: {
        run: summary.run,
        entries: [{ t: "run-finished", at: now, state: "failed", error }],
      },
      summary: ended,
    });
    closed.push(ended);
  }
  return closed;
}

/** The row of a killed run may be half a second behind its journal. */
async function journalCounts(store: Store, summary: RunSummary): Promise<RunSummary["counts"]> {
  const fold = new StatusFold();
  for await (const entry of store.journal(summary.run)) fold.add(entry);
  const counts = { total: 0, succeeded: 0, failed: 0, reused: 0, executed: 0 };
  for (const { tasks } of fold.steps("failed")) {
    counts.succeeded += tasks.succeeded;
    counts.failed += tasks.failed;
    counts.reused += tasks.reused;
    counts.executed += tasks.succeeded - tasks.reused;
    counts.total += tasks.total;
  }
  return { ...counts, total: Math.max(counts.total, summary.counts.total) };
}
