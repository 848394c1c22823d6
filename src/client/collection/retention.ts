/** Which runs the rules of `mf gc` do not keep: pure, over what is known of all runs. */
import { runText } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import { isSet, type Mark } from "../../model/mark.ts";
import { hasEnded } from "../run-result.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** A run is kept where any rule keeps it. Without a rule, every run is. */
export interface RetentionRules {
  /**
   * The newest runs of each flow, and the newest that succeeded: it is the flow's `latest`. Those that go on, and those that only
   * verify another, are not counted: with `--keep 1` the run that was verified would go.
   */
  readonly keep?: number;
  /** Those that ended less than so many days ago. */
  readonly keepDays?: number;
  /** Only this flow's runs may go. */
  readonly flow?: string;
}

export interface KnownRuns {
  readonly runs: readonly RunSummary[];
  readonly marks: readonly Mark[];
  readonly now: number;
}

/** What people said of a run that keeps it: `pinned`, `tagged best`. */
export function heldBy(run: string, marks: readonly Mark[]): string[] {
  return marks.flatMap((mark) => {
    if (mark.on !== run || !isSet(mark)) return [];
    if (mark.kind === "pin") return ["pinned"];
    return mark.kind === "tag" ? [`tagged ${mark.name}`] : [];
  });
}

/** Oldest first. A run that only verifies another is no newer result: it stays as long as the one it verifies. */
export function runsToRemove(
  { runs, marks, now }: KnownRuns,
  { keep, keepDays, flow }: RetentionRules,
): RunSummary[] {
  if (keep === undefined && keepDays === undefined) return [];
  const held = new Set(
    marks.flatMap((mark) =>
      isSet(mark) && (mark.kind === "pin" || mark.kind === "tag") ? [mark.on] : [],
    ),
  );
  const seen = new Map<string, number>();
  const latest = new Set<string>();
  const isLatest = ({ run, state, origin }: RunSummary): boolean => {
    if (state !== "succeeded" || origin?.how === "verify" || latest.has(run.flow)) return false;
    latest.add(run.flow);
    return (keep ?? 0) > 0;
  };
  const newestFirst = runs
    .filter((run) => hasEnded(run) && (flow === undefined || run.run.flow === flow))
    .sort((a, b) => b.createdAt - a.createdAt);
  const isKeptItself = (summary: RunSummary): boolean =>
    isLatest(summary) ||
    held.has(runText(summary.run)) ||
    (keepDays !== undefined && now - (summary.finishedAt ?? summary.createdAt) < keepDays * DAY_MS);
  const stays = new Set<string>();
  for (const summary of newestFirst) {
    const newer = seen.get(summary.run.flow) ?? 0;
    const isResult = summary.origin?.how !== "verify";
    if (isResult) seen.set(summary.run.flow, newer + 1);
    if (isKeptItself(summary) || (isResult && newer < (keep ?? 0))) stays.add(runText(summary.run));
  }
  const oldestFirst = newestFirst.reverse();
  for (const { run, origin } of oldestFirst)
    if (origin?.how === "verify" && stays.has(origin.run)) stays.add(runText(run));
  return oldestFirst.filter(({ run }) => !stays.has(runText(run)));
}
