/** A run as its journal has it: how it began, what succeeded, with the fact of each task. */
import { resultIdOf } from "../../artifact/result-id.ts";
import { isMfError } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { runText, taskText, type RunRef } from "../../model/ids.ts";
import type { JournalEntry, TaskSucceeded } from "../../model/journal.ts";
import type { PeerId } from "../../model/peer.ts";
import type { Records } from "../records.ts";
import { reasonOf, type Findings } from "./verify-report.ts";

export interface RecordedTask {
  readonly succeeded: TaskSucceeded;
  /** `flow/run/step[index]`. */
  readonly where: string;
  readonly fact: Fact | undefined;
}

export interface RecordedRun {
  readonly run: RunRef;
  readonly entries: number;
  readonly state: string;
  readonly started: Extract<JournalEntry, { t: "run-started" }>;
  /** Undefined of a run that goes on. */
  readonly finishedAt?: number;
  /** Peers that owned it: none where it ran without a mesh. */
  readonly owners: readonly PeerId[];
  /** By `taskText`; the last word of the journal counts. */
  readonly tasks: ReadonlyMap<string, RecordedTask>;
}

/** Undefined where nothing can be said beyond what the findings have. */
export async function recordedRun(
  records: Records,
  run: RunRef,
  findings: Findings,
): Promise<RecordedRun | undefined> {
  const journal = await readJournal(records, run, findings);
  if (journal === undefined) return undefined;
  const [started] = journal;
  if (started?.t !== "run-started") {
    findings.add("journal-broken", runText(run), "its first entry is not the run's beginning");
    return undefined;
  }
  const last = journal.at(-1);
  const succeeded = new Map<string, TaskSucceeded>();
  const owners = new Set<PeerId>();
  for (const [at, entry] of journal.entries()) {
    if (entry.t === "owner-changed") owners.add(entry.owner.peer);
    else if (entry.t === "tasks-succeeded")
      for (const task of entry.tasks) succeeded.set(taskText(task), task);
    else if (entry.t === "run-started" && at > 0)
      findings.add("journal-broken", runText(run), `entry ${at} begins the run again`);
  }
  return {
    run,
    entries: journal.length,
    state: last?.t === "run-finished" ? last.state : "running",
    started,
    ...(last?.t === "run-finished" ? { finishedAt: last.at } : {}),
    owners: [...owners],
    tasks: await withFacts(records, run, { succeeded, findings }),
  };
}

async function readJournal(
  records: Records,
  run: RunRef,
  findings: Findings,
): Promise<readonly JournalEntry[] | undefined> {
  try {
    return await records.journal(run);
  } catch (error) {
    const isBroken = isMfError(error, "STORE_CORRUPT") || isMfError(error, "CONTENT_MALFORMED");
    if (!isBroken) throw error;
    findings.add("journal-broken", runText(run), reasonOf(error));
    return undefined;
  }
}

async function withFacts(
  records: Records,
  run: RunRef,
  { succeeded, findings }: { succeeded: ReadonlyMap<string, TaskSucceeded>; findings: Findings },
): Promise<Map<string, RecordedTask>> {
  const facts = await records.facts([...succeeded.values()]);
  const tasks = new Map<string, RecordedTask>();
  for (const [position, [key, task]] of [...succeeded].entries()) {
    const fact = facts[position];
    const where = `${runText(run)}/${key}`;
    tasks.set(key, { succeeded: task, where, fact });
    if (fact === undefined) {
      const which = task.result === undefined ? "" : ` with result ${task.result}`;
      findings.add("fact-missing", where, `no fact ${task.memoKey}${which}`);
    } else if (fact.memoKey !== task.memoKey)
      findings.add("fact-differs", where, "its fact has another memo key than the journal says");
    else if (task.result !== undefined && resultIdOf(fact) !== task.result)
      findings.add("fact-differs", where, "its fact has other outputs than the journal says");
  }
  return tasks;
}
