/**
 * Every version that runs made: what `mf ls-versions` shows. Runs are walked newest first; once a limit is reached and nothing newer
 * can come, older runs are only counted for what is listed already.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import type { Store } from "../../store/ports.ts";
import { atAGlance, VersionFold, type VersionPart } from "./version-fold.ts";
import {
  runsAsked,
  VERSION_ROWS_MAX,
  versionNamesOf,
  type VersionsQuery,
} from "./version-query.ts";
import { versionsOfRuns, type RunVersionsQuery } from "./run-versions.ts";

/** One row of `mf ls-versions --json --columns all`. */
export interface VersionRow extends Omit<VersionPart, "runAt"> {
  /** Names of peers that hold the content, as far as is known. */
  readonly peers: readonly string[];
  /** At a glance: how many different ones there are. */
  readonly versions?: number;
}

export interface VersionList {
  /** Newest first: by when they were seen last. */
  readonly rows: readonly VersionRow[];
  /** There are more than the limit let through. */
  readonly more: boolean;
}

/** Runs of one question to whoever has their journals. */
export const VERSION_RUNS_BATCH = 32;
/** Names that older runs are asked about alone; with more, they are asked about everything. */
export const VERSION_NAMES_MAX = 256;

/** Where runs are, and what they say. Each run is told by one alone. */
export interface VersionSource {
  /** Newest first. */
  runs(flow?: string): Promise<readonly RunSummary[]>;
  marks(): Promise<readonly Mark[]>;
  partsOf(
    runs: readonly RunSummary[],
    query: RunVersionsQuery,
  ): AsyncIterable<readonly VersionPart[]>;
}

/** Without the peers that hold what is listed. @throws MfError PATHSPEC_INVALID */
export async function gatherVersions(
  source: VersionSource,
  query: VersionsQuery,
): Promise<{ readonly rows: (VersionPart & { versions?: number })[]; readonly more: boolean }> {
  const names = versionNamesOf(query);
  const runs = runsAsked(await source.runs(names.flow), query, await source.marks());
  const { since, until, peer, params } = query;
  const limit = Math.min(query.limit ?? VERSION_ROWS_MAX, VERSION_ROWS_MAX);
  const fold = new VersionFold(VERSION_ROWS_MAX);
  const ends = latestEnds(runs);
  let asked: RunVersionsQuery = {
    names,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(peer === undefined ? {} : { peer }),
    ...(params === undefined ? {} : { params }),
  };
  let isClosed = query.glance === true;
  for (let at = 0; at < runs.length; at += VERSION_RUNS_BATCH) {
    const batch = runs.slice(at, at + VERSION_RUNS_BATCH);
    for await (const parts of source.partsOf(batch, asked))
      for (const part of parts) fold.add(part);
    const next = at + batch.length;
    if (isClosed || next === runs.length || fold.size < limit) continue;
    if ((ends[next] ?? -Infinity) >= fold.seenAtOf(limit)) continue;
    isClosed = true;
    const only = await fold.close(limit);
    fold.isCut = true;
    if (only.length <= VERSION_NAMES_MAX) asked = { ...asked, only };
  }
  const sorted = await fold.rowsInTurns();
  const all = query.glance === true ? await atAGlance(sorted) : sorted;
  return { rows: all.slice(0, limit), more: fold.isCut || all.length > limit };
}

/** For each run, when the last of it and of those after it ended: nothing in them was seen later. */
function latestEnds(runs: readonly RunSummary[]): number[] {
  const ends: number[] = [];
  let latest = -Infinity;
  for (const [back, run] of runs.toReversed().entries()) {
    latest = Math.max(latest, run.finishedAt ?? Infinity);
    ends[runs.length - 1 - back] = latest;
  }
  return ends;
}

/** Of one store. @throws MfError PATHSPEC_INVALID */
export async function listVersions(
  store: Pick<Store, "runs" | "marks" | "journal" | "getResults">,
  query: VersionsQuery = {},
): Promise<VersionList> {
  const source: VersionSource = {
    runs: (flow) => store.runs(flow),
    marks: () => store.marks(),
    async *partsOf(runs, asked) {
      for await (const { parts } of versionsOfRuns(store, runs, asked)) yield parts;
    },
  };
  const { rows, more } = await gatherVersions(source, query);
  return { rows: await versionRows(rows, (row) => [row.by]), more };
}

/** Rows made between two turns of the event loop. */
const ROWS_TURN = 1_024;

export async function versionRows(
  parts: readonly (VersionPart & { versions?: number })[],
  peersOf: (part: VersionPart) => readonly string[],
): Promise<VersionRow[]> {
  const rows: VersionRow[] = [];
  for (const part of parts) {
    // Written out, as in seenParts.
    const { what, artifact, id, run, user, at, by, lastRun, seenAt, seen } = part;
    const { bytes, kind, code, versions } = part;
    const peers = peersOf(part);
    const row = {
      what,
      artifact,
      id,
      run,
      user,
      at,
      by,
      lastRun,
      seenAt,
      seen,
      bytes,
      kind,
      code,
      peers,
    };
    rows.push(versions === undefined ? row : { ...row, versions });
    if (rows.length % ROWS_TURN === 0) await nextTurn();
  }
  return rows;
}
