/** What of a checked pack goes into a store, a piece at a time, by whoever holds the store. Nothing of it shows before the run's row does. */
import { join } from "node:path";
import { resultIdOf } from "../../artifact/result-id.ts";
import { MfError } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { runText } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { InlineContent, JournalWrite, Store } from "../../store/ports.ts";

export interface AdoptedPart {
  readonly facts?: readonly Fact[];
  readonly inline?: readonly InlineContent[];
  /** Names of segments in the store's scratch directory. */
  readonly scratch?: readonly string[];
  readonly journal?: JournalWrite;
  /** Last of all. */
  readonly summary?: RunSummary;
}

const SCRATCH_NAME = /^import-[0-9a-f]{8}-\d{1,6}\.seg$/;

export function adoptedScratchName(prefix: string, number: number): string {
  return `import-${prefix}-${number}.seg`;
}

/** The part of each store that is being taken: two imports of one run must not both find that it is not there. */
const adopting = new WeakMap<Store, Promise<unknown>>();

/** What is here is never replaced: not a run, and not what may be reused. @throws MfError PACK_CONFLICT, USAGE, STORE_FULL, CONTENT_MISMATCH */
export function adoptPart(store: Store, part: AdoptedPart): Promise<void> {
  const before = adopting.get(store) ?? Promise.resolve();
  const adopted = before.then(() => adoptNow(store, part));
  adopting.set(
    store,
    adopted.catch(() => undefined),
  );
  return adopted;
}

async function adoptNow(store: Store, part: AdoptedPart): Promise<void> {
  const { facts = [], inline = [], scratch = [], journal, summary } = part;
  const run = journal?.run ?? summary?.run;
  if (run !== undefined && (await store.getRun(run)) !== undefined)
    throw new MfError("PACK_CONFLICT", { run: runText(run), file: "the pack" });
  for (const name of scratch)
    if (!SCRATCH_NAME.test(name))
      throw new MfError("USAGE", { message: `${name} names no segment.`, command: "import" });
  await store.commit({
    facts: await factsBeside(store, facts),
    inline,
    scratch: scratch.map((name) => join(store.scratchDir, name)),
    ...(journal === undefined ? {} : { journal }),
    ...(summary === undefined ? {} : { summary }),
  });
}

/** The last of a key is what is reused: what is here is committed once more, after what came. */
async function factsBeside(store: Store, facts: readonly Fact[]): Promise<Fact[]> {
  const refs = facts.map((fact) => ({ memoKey: fact.memoKey, result: resultIdOf(fact) }));
  const same = await store.getResults(refs);
  const latest = await store.getFacts(facts.map(({ memoKey }) => memoKey));
  return facts.flatMap((fact, at) => {
    if (same[at] !== undefined) return [];
    const here = latest[at];
    return here === undefined ? [fact] : [fact, here];
  });
}
