/** Removing runs, and taking that back: which marks are to be written, and what speaks against it. */
import { MfError } from "../../model/errors.ts";
import { runText, type RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import { parsePathspec } from "../../model/pathspec.ts";
import { LATEST } from "../../model/run-address.ts";
import type { MarkChange } from "../control/daemon-side.ts";
import { hasEnded } from "../run-result.ts";
import type { Records } from "../records.ts";
import { heldBy, runsToRemove, type RetentionRules } from "./retention.ts";
import { pinnedContents, removedRuns, type RemovedRun } from "./roots.ts";

export interface RemoveOptions {
  readonly user: string;
  /** Also pinned and tagged runs. */
  readonly force?: boolean;
}

/** All of them or none. @throws MfError RUN_NOT_FOUND, PATHSPEC_*, RUN_GOING_ON, RUN_HELD */
export async function removals(
  records: Records,
  texts: readonly string[],
  { user, force = false }: RemoveOptions,
): Promise<MarkChange[]> {
  const marks = await records.side.marks();
  const runs = new Map<string, RunSummary>();
  for (const text of texts) {
    const summary = await records.side.run(text);
    runs.set(runText(summary.run), summary);
  }
  return [...runs].map(([run, summary]) => {
    if (!hasEnded(summary))
      throw new MfError("RUN_GOING_ON", { run, where: "so it is not removed" });
    const held = heldBy(run, marks);
    if (held.length > 0 && !force) throw new MfError("RUN_HELD", { run, held: held.join(", ") });
    return goneMark(run, user);
  });
}

/** Those that were removed and whose results are still there. @throws MfError RUN_NOT_FOUND, PATHSPEC_*, RUN_COLLECTED */
export async function restorations(
  records: Records,
  texts: readonly string[],
  user: string,
): Promise<MarkChange[]> {
  const removed = removedRuns(await records.side.marks());
  const changes = new Map<string, MarkChange>();
  for (const text of texts) {
    const run = findRemoved(removed, text);
    await refuseCollected(records, run);
    changes.set(runText(run), { kind: "gone", on: runText(run), name: "", user });
  }
  return [...changes.values()];
}

/** What the rules of `mf gc` do not keep; a run one of whose contents is pinned stays. */
export async function removalsByRules(
  records: Records,
  rules: RetentionRules,
  { user, now }: { readonly user: string; readonly now: number },
): Promise<MarkChange[]> {
  const runs = await records.runs();
  const marks = await records.side.marks();
  const pinned = new Set<string>(pinnedContents(marks));
  const changes: MarkChange[] = [];
  for (const { run } of runsToRemove({ runs, marks, now }, rules)) {
    const isHeld = pinned.size > 0 && (await outputsOf(records, run)).some((id) => pinned.has(id));
    if (!isHeld) changes.push(goneMark(runText(run), user));
  }
  return changes;
}

function goneMark(run: string, user: string): MarkChange {
  return { kind: "gone", on: run, name: "", value: "", user };
}

async function outputsOf(records: Records, run: RunRef): Promise<string[]> {
  const tasks = (await records.journal(run)).flatMap((entry) =>
    entry.t === "tasks-succeeded" ? entry.tasks : [],
  );
  const facts = await records.facts(tasks);
  return facts.flatMap((fact) => Object.values(fact?.outputs ?? {}).map(({ id }) => id));
}

/** Facts go before what they name: where all are there, everything is. */
async function refuseCollected(records: Records, run: RunRef): Promise<void> {
  const tasks = (await records.journal(run)).flatMap((entry) =>
    entry.t === "tasks-succeeded" ? entry.tasks : [],
  );
  const facts = await records.facts(tasks);
  const missing = facts.filter((fact) => fact === undefined).length;
  if (missing > 0)
    throw new MfError("RUN_COLLECTED", { run: runText(run), missing, total: tasks.length });
}

/** `flow/id`, a unique beginning of the id, or `latest`: the one that was removed last. */
function findRemoved(removed: readonly RemovedRun[], text: string): RunRef {
  const spec = parsePathspec(text);
  if (spec.k === "content" || spec.run === undefined || spec.step !== undefined)
    throw new MfError("PATHSPEC_INVALID", {
      text,
      reason: "a run is named flow/run, as in sweep/latest",
    });
  const { flow, run: id } = spec;
  const ofFlow = removed.filter(({ run }) => run.flow === flow);
  const fitting =
    id === LATEST
      ? [...ofFlow].sort((a, b) => (b.at ?? 0) - (a.at ?? 0)).slice(0, 1)
      : ofFlow.filter(({ run }) => run.id.startsWith(id));
  const exact = fitting.find(({ run }) => run.id === id);
  const [found, other] = exact === undefined ? fitting : [exact];
  if (found === undefined) throw new MfError("RUN_NOT_FOUND", { run: `${text} that was removed` });
  if (other !== undefined)
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text,
      candidates: fitting
        .slice(0, 5)
        .map(({ run }) => runText(run))
        .join(", "),
    });
  return found.run;
}

/** `flow/id` of what these changes remove. */
export function runsOf(changes: readonly Pick<Mark, "on">[]): string[] {
  return changes.map(({ on }) => on);
}
