/**
 * Mark and sweep of one store. Roots are the runs that were not removed, wherever they ran, what is pinned, and what goes on;
 * everything that is reached from them stays. The rest goes: what removed runs name at once, what nothing names (a step that was
 * aborted, copies that were brought) only where every peer that may know better has answered.
 */
import { rm } from "node:fs/promises";
import { logDirectoryOf } from "../../engine/run/log-file.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { Cid, RunRef } from "../../model/ids.ts";
import { SPARED_MS, type Store, type SweepReport } from "../../store/ports.ts";
import { FACTS_MAX } from "../control/read-side.ts";
import { isContentId } from "./file-references.ts";
import { NamedSet } from "./named-set.ts";
import { pinnedContents, type RemovedRun, type Roots } from "./roots.ts";

/** A removed run's journal stays so long (hidden), so that a peer that was away finds in it what to sweep. */
export const GONE_JOURNAL_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Facts that are decoded in one turn of the loop: a few ms. */
const LOOK_UP_BATCH = 256;

export interface CollectOptions {
  readonly isDryRun?: boolean;
  /** Others work with this store meanwhile: a daemon's. */
  readonly isShared?: boolean;
  /** Of this machine's clock, ms. */
  readonly now: number;
}

export interface CollectReport extends SweepReport {
  /** Also what nothing names was looked for. */
  readonly isComplete: boolean;
}

/** `findRoots` is called once the store watches what is asked for. */
export async function collect(
  store: Store,
  findRoots: () => Promise<Roots>,
  { isDryRun = false, isShared = false, now }: CollectOptions,
): Promise<CollectReport> {
  const sweep = store.sweeper.begin();
  try {
    const roots = await findRoots();
    const { live, removed, isQuiet } = await setsOf(roots);
    await fillLive(store, roots, live);
    await fillRemoved(store, roots, removed);
    const isComplete = roots.isComplete();
    const report = await sweep.sweep({
      live,
      removed,
      withOrphans: isComplete,
      runs: forgottenRuns(roots.removed, now),
      isShared,
      isQuiet,
      isDryRun,
      namedBy: (facts) => namedBy(store, roots, facts),
    });
    if (!isDryRun) for (const { run } of roots.removed) await removeLogs(store.home, run);
    return { ...report, isComplete };
  } finally {
    sweep.abandon();
  }
}

/** What journals name. A removed run that has no end goes on somewhere: it is kept, whatever its mark says. */
async function setsOf(
  roots: Roots,
): Promise<{ live: NamedSet; removed: NamedSet; isQuiet: boolean }> {
  const live = new NamedSet();
  const removed = new NamedSet();
  let isQuiet = true;
  for (const { run, hasEnded } of roots.kept) {
    isQuiet &&= hasEnded;
    for (const entry of await roots.journal(run)) live.addEntry(entry, true);
  }
  for (const { run } of roots.removed) {
    const entries = await roots.journal(run);
    const goesOn = entries.length > 0 && !entries.some(({ t }) => t === "run-finished");
    if (goesOn) isQuiet = false;
    for (const entry of entries) (goesOn ? live : removed).addEntry(entry, goesOn);
  }
  return { live, removed, isQuiet };
}

async function fillLive(store: Store, roots: Roots, live: NamedSet): Promise<void> {
  for (const id of pinnedContents(roots.marks)) if (isContentId(id)) live.addValue(id);
  for (const fact of await factsOfOthers(store, roots, live.refs)) live.addFact(fact, true);
  // A run that goes on may have made what its journal does not name yet; and no two clocks agree.
  let since = Infinity;
  for (const { hasEnded, createdAt } of roots.kept)
    if (!hasEnded) since = Math.min(since, createdAt - SPARED_MS);
  await addFactsHere(store, live, {
    withInputs: true,
    isNamed: (fact) => live.has(fact) || fact.at >= since,
  });
  await live.addFiles(store, roots.filesElsewhere);
}

async function fillRemoved(store: Store, roots: Roots, removed: NamedSet): Promise<void> {
  for (const fact of await factsOfOthers(store, roots, removed.refs)) removed.addFact(fact, false);
  await addFactsHere(store, removed, { withInputs: false, isNamed: (fact) => removed.has(fact) });
  // A file whose value is elsewhere goes when every peer has answered.
  await removed.addFiles(store, async () => new Map());
}

/** Of facts that a run took a moment ago: as if a journal named them. */
async function namedBy(
  store: Store,
  roots: Roots,
  facts: readonly Fact[],
): Promise<ReadonlySet<Cid>> {
  const set = new NamedSet();
  for (const fact of facts) set.addFact(fact, true);
  for (const fact of facts) if (isCut(fact)) await set.addElements(fact, store);
  await set.addFiles(store, roots.filesElsewhere);
  return set.contents;
}

/** A list that was cut is nobody's task. */
function isCut({ flow, step }: Fact): boolean {
  return flow === "" && step === "";
}

/** Without asking the store by key: that would count as asking for what is about to go. */
async function factsOfOthers(
  store: Store,
  roots: Roots,
  refs: readonly FactRef[],
): Promise<readonly Fact[]> {
  const missing: FactRef[] = [];
  for (let at = 0; at < refs.length; at += LOOK_UP_BATCH) {
    const page = refs.slice(at, at + LOOK_UP_BATCH);
    const here = await store.sweeper.results(page);
    missing.push(...page.filter((_, position) => here[position] === undefined));
  }
  const found: Fact[] = [];
  for (let at = 0; at < missing.length; at += FACTS_MAX)
    found.push(...(await roots.factsElsewhere(missing.slice(at, at + FACTS_MAX))));
  return found;
}

interface FactsHere {
  readonly withInputs: boolean;
  readonly isNamed: (fact: Fact) => boolean;
}

/** The facts of this store that are named, then the lists among them that were cut. */
async function addFactsHere(
  store: Store,
  set: NamedSet,
  { withInputs, isNamed }: FactsHere,
): Promise<void> {
  const cut: Fact[] = [];
  for await (const fact of store.sweeper.facts()) {
    if (isCut(fact)) cut.push(fact);
    else if (isNamed(fact)) set.addFact(fact, withInputs);
  }
  for (const fact of cut) await set.addElements(fact, store);
}

function forgottenRuns(removed: readonly RemovedRun[], now: number): RunRef[] {
  return removed.flatMap(({ run, at }) =>
    at !== undefined && now - at > GONE_JOURNAL_DAYS * DAY_MS ? [run] : [],
  );
}

async function removeLogs(home: string, run: RunRef): Promise<void> {
  // A run's name comes from a mark that anybody may have written: it must not lead elsewhere.
  if (!/^[0-9a-z]{1,64}$/.test(run.id) || run.flow === "" || /^\.+$/.test(run.flow)) return;
  await rm(logDirectoryOf(home, run), { recursive: true, force: true });
}
