/** Which stored facts a run may use instead of running the task: young enough, and everything they name still here. */
import type { Clock } from "../../env/clock.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { defined } from "../../std/assert.ts";
import type { Store } from "../../store/ports.ts";
import type { TaskUnit } from "./run-units.ts";

export interface FactSources {
  readonly store: Pick<Store, "getResults" | "has">;
  readonly clock: Clock;
}

/** One answer a task, undefined where it has to run. Each task knows its identity. */
export async function usableFacts(
  tasks: readonly TaskUnit[],
  { store, clock }: FactSources,
): Promise<(Fact | undefined)[]> {
  const now = clock.now();
  const facts = (await store.getResults(tasks.map(wantedFact))).map((fact, position) => {
    const task = tasks[position];
    // What the journal names was young enough when the run took it.
    if (task?.past?.succeeded !== undefined || task?.kept !== undefined) return fact;
    const ttlMs = task?.step.declaration.options.cache.ttlMs;
    return fact !== undefined && ttlMs !== undefined && now - fact.at > ttlMs ? undefined : fact;
  });
  const ids = new Set<Cid>();
  for (const fact of facts) for (const ref of Object.values(fact?.outputs ?? {})) ids.add(ref.id);
  if (ids.size === 0) return facts;
  const list = [...ids];
  const isHere = await store.has(list);
  const missing = new Set(list.filter((_, position) => isHere[position] !== true));
  if (missing.size === 0) return facts;
  return facts.map((fact) =>
    fact !== undefined && Object.values(fact.outputs).some((ref) => missing.has(ref.id))
      ? undefined
      : fact,
  );
}

/** What the journal names is that very fact; anything else is the latest of its key. */
export function wantedFact({ identity, past, kept }: TaskUnit): FactRef {
  const { memoKey } = defined(identity, "a task that is looked up knows its identity");
  const result = past?.succeeded?.result ?? kept;
  return result === undefined ? { memoKey } : { memoKey, result };
}
