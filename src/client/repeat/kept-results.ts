/**
 * What a resumed run reuses beyond what any run would: results of steps that are not cached, and results that are not the latest of
 * their key. Everything else is found by its key anyway, so it is not listed.
 */
import { resultIdOf } from "../../artifact/result-id.ts";
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { stepNamed } from "../../graph/queries.ts";
import { RESULTS_KEPT_MAX, type KnownResult, type TaskSucceeded } from "../../model/journal.ts";
import type { Records } from "../records.ts";

export interface KeptResults {
  readonly results: readonly KnownResult[];
  /** Tasks above the limit: they are executed again. */
  readonly left: number;
}

/** `graph` is that of the flow that is to run; steps in `rerun` keep nothing. */
export async function keptResults(
  records: Records,
  tasks: readonly TaskSucceeded[],
  { graph, rerun }: { readonly graph: FlowGraph; readonly rerun: ReadonlySet<string> },
): Promise<KeptResults> {
  const wanted = tasks.flatMap(({ step, memoKey, result }) => {
    const cache = stepNamed(graph, step)?.options.cache;
    if (cache === undefined || result === undefined || rerun.has(step)) return [];
    return [{ memoKey, result, isCached: cache.enabled && cache.ttlMs === undefined }];
  });
  const latest = await records.facts(wanted.map(({ memoKey }) => ({ memoKey })));
  const results = wanted.flatMap(({ memoKey, result, isCached }, position) => {
    const fact = latest[position];
    const isFound = isCached && (fact === undefined || resultIdOf(fact) === result);
    return isFound ? [] : [{ memoKey, result }];
  });
  const kept = results.slice(0, RESULTS_KEPT_MAX);
  return { results: kept, left: results.length - kept.length };
}
