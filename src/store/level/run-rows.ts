/** Lists of runs, and journals, as rows of the index. Long lists are read in pieces, with turns of the event loop in between. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { runText, type RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import { goneRuns } from "./fact-rows.ts";
import { decodeRow, journalKey, PREFIX, runKey, timeKeys } from "./index-rows.ts";
import type { Kv } from "./kv.ts";

/** Rows decoded between two turns: a millisecond. */
const RUNS_TURN = 64;
/** So few entries are fetched by their keys, at once: an iterator takes four trips to a thread of the pool. */
const KEYED_ENTRIES_MAX = 16;

/** Newest first, without those that were removed. */
export async function readRuns(kv: Kv, flow?: string): Promise<RunSummary[]> {
  const prefix =
    flow === undefined ? PREFIX.time : `${PREFIX.flowTime}${encodeURIComponent(flow)}!`;
  const keys: string[] = [];
  for await (const [key] of kv.rows(prefix)) keys.push(key);
  const gone = await goneRuns(kv);
  const runs: RunSummary[] = [];
  for (let at = 0; at < keys.length; at += RUNS_TURN) {
    const piece = keys.slice(at, at + RUNS_TURN);
    const rows = await kv.getMany(
      piece.map((key) => PREFIX.run + key.slice(key.lastIndexOf("!") + 1)),
    );
    for (const [i, row] of rows.entries()) {
      const summary = row === undefined ? undefined : (decodeRow(row) as RunSummary | undefined);
      if (summary === undefined || gone.has(runText(summary.run))) continue;
      // A row left by an earlier creation time of the same run.
      if (timeKeys(summary.run, summary.createdAt).includes(piece[i] ?? "")) runs.push(summary);
    }
    await nextTurn();
  }
  return runs;
}

/** The rows of a journal that has `count` entries; fewer where some are missing. */
export async function* journalRows(kv: Kv, run: RunRef, count: number): AsyncIterable<Uint8Array> {
  if (count <= KEYED_ENTRIES_MAX) {
    const keys = Array.from({ length: count }, (_, sequence) => journalKey(run, sequence));
    for (const row of await kv.getMany(keys)) if (row !== undefined) yield row;
    return;
  }
  let left = count;
  for await (const [, row] of kv.rows(`${PREFIX.journal}${runKey(run)}!`)) {
    if (left-- === 0) return;
    yield row;
  }
}
