/** Which runs are meant: by who, what, when and how they are called. Pure, so lists of the CLI and of the library are the same. */
import type { RunState, RunSummary } from "../model/journal.ts";
import { hasTags, type MarksByRun } from "../model/run-tags.ts";

export interface RunFilter {
  readonly user?: string;
  readonly project?: string;
  readonly branch?: string;
  readonly state?: RunState;
  /** All of them, given or by itself (`user:ada`). */
  readonly tags?: readonly string[];
  /** Begun no earlier, ms. */
  readonly since?: number;
  /** Begun no later, ms. */
  readonly until?: number;
}

/** In the order given. */
export function selectRuns(
  runs: readonly RunSummary[],
  marks: MarksByRun,
  filter: RunFilter,
): RunSummary[] {
  const { since = -Infinity, until = Infinity, tags = [], ...same } = filter;
  return runs.filter(
    (run) =>
      run.createdAt >= since &&
      run.createdAt <= until &&
      (same.user === undefined || run.user === same.user) &&
      (same.project === undefined || run.project === same.project) &&
      (same.branch === undefined || run.branch === same.branch) &&
      (same.state === undefined || run.state === same.state) &&
      hasTags(run, marks, tags),
  );
}

/** What is somebody's own first, then the others'; each in the order given. */
export function ownFirst(runs: readonly RunSummary[], user: string): RunSummary[] {
  return [...runs.filter((run) => run.user === user), ...runs.filter((run) => run.user !== user)];
}
