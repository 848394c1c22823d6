/** How a run ended and who did its work, read back from its journal: for whoever was not there when it ended. */
import type { RunResult, TaskFailure } from "../engine/run-api.ts";
import { FAILURES_SHOWN_MAX } from "../engine/run/run-limits.ts";
import type { RunRef } from "../model/ids.ts";
import type { RunSummary } from "../model/journal.ts";
import type { Store } from "../store/ports.ts";

type Journals = Pick<Store, "journal">;

/** Of a run that has ended. */
export async function runResultOf(store: Journals, summary: RunSummary): Promise<RunResult> {
  const { run, state, createdAt, counts } = summary;
  const failures: TaskFailure[] = [];
  for await (const entry of store.journal(run)) {
    if (entry.t !== "attempt-failed" || !entry.final || entry.outcome === "cancelled") continue;
    if (failures.length >= FAILURES_SHOWN_MAX) break;
    const { step, index, attempt, error } = entry;
    failures.push({ step, index, attempt, error });
  }
  return {
    run,
    state,
    durationMs: Math.max(0, (summary.finishedAt ?? createdAt) - createdAt),
    tasks: counts,
    failures,
  };
}

/** Peer -> tasks of the run whose fact it made. */
export async function workOfPeers(store: Journals, run: RunRef): Promise<Record<string, number>> {
  const byPeer = new Map<string, number>();
  for await (const entry of store.journal(run)) {
    if (entry.t !== "tasks-succeeded") continue;
    for (const { by, attempt } of entry.tasks)
      if (attempt !== undefined) byPeer.set(by, (byPeer.get(by) ?? 0) + 1);
  }
  return Object.fromEntries(byPeer);
}

export function hasEnded(summary: Pick<RunSummary, "state">): boolean {
  return summary.state !== "running" && summary.state !== "waiting";
}
