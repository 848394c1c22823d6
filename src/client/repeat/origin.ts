/** The run that is to be repeated, as records know it: everything a new run needs to be the same again, without its source files. */
import type { FlowPackage } from "../../code/flow-package.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import { runText, taskText, type Cid } from "../../model/ids.ts";
import type { JournalEntry, RunSummary, TaskSucceeded } from "../../model/journal.ts";
import type { Records } from "../records.ts";
import { hasEnded } from "../run-result.ts";

export interface Origin {
  readonly summary: RunSummary;
  readonly started: Extract<JournalEntry, { t: "run-started" }>;
  readonly journal: readonly JournalEntry[];
  readonly flowPackage: FlowPackage;
}

/** `text` names a run: `flow/id`, a unique beginning of the id, or `latest`. @throws MfError RUN_NOT_FOUND, PATHSPEC_INVALID, RUN_INCOMPLETE */
export async function readOrigin(records: Records, text: string): Promise<Origin> {
  const summary = await records.side.run(text);
  const journal = await records.journal(summary.run);
  const started = journal.find((entry) => entry.t === "run-started");
  if (started === undefined) throw new MfError("RUN_NOT_FOUND", { run: runText(summary.run) });
  const { packageId } = started;
  await requireReachable(records, runText(summary.run), [{ what: "its code", id: packageId }]);
  return { summary, started, journal, flowPackage: await records.flowPackage(packageId) };
}

export interface NeededContent {
  /** For people. */
  readonly what: string;
  readonly id: Cid;
}

/** What is in the store of another peer comes here, so that it is missed before the run begins and not in the middle of it.
 *  @throws MfError RUN_INCOMPLETE */
export async function requireReachable(
  records: Records,
  run: string,
  needed: readonly NeededContent[],
): Promise<void> {
  for (const { what, id } of needed)
    if (!(await isReachable(records, id))) throw new MfError("RUN_INCOMPLETE", { run, what, id });
}

async function isReachable(records: Records, id: Cid): Promise<boolean> {
  try {
    return (await records.has([id]))[0] === true;
  } catch (error) {
    // A side that brings contents says so itself.
    if (isMfError(error, "CONTENT_MISSING")) return false;
    throw error;
  }
}

/**
 * What `mf resume` is given: a run; a flow alone, or its `latest`, is the newest run that began, whether or not it succeeded. Elsewhere
 * `latest` is the newest that succeeded, which nobody resumes. @throws MfError RUN_NOT_FOUND, PATHSPEC_INVALID
 */
export async function runToResume(records: Records, text: string): Promise<string> {
  const [, flow] = /^([^/]+)(?:\/latest)?$/.exec(text) ?? [];
  if (flow === undefined) return text;
  const runs = await records.runs(flow);
  const newest = runs.find(({ origin }) => origin?.how !== "verify") ?? runs[0];
  if (newest === undefined) throw new MfError("RUN_NOT_FOUND", { run: `${flow}/latest` });
  return runText(newest.run);
}

/** @throws MfError RUN_GOING_ON */
export function requireEnded({ summary }: Pick<Origin, "summary">): void {
  if (hasEnded(summary)) return;
  const { run, owner, pid } = summary;
  const where =
    owner === undefined ? `process ${pid} of this machine` : `its owner is ${owner.name}`;
  throw new MfError("RUN_GOING_ON", { run: runText(run), where });
}

/** By `step[index]`; where a task succeeded twice, the last counts. */
export function succeededTasks(journal: readonly JournalEntry[]): Map<string, TaskSucceeded> {
  const tasks = new Map<string, TaskSucceeded>();
  for (const entry of journal)
    if (entry.t === "tasks-succeeded")
      for (const task of entry.tasks) tasks.set(taskText(task), task);
  return tasks;
}
