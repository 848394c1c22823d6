/** What every Store must do when something is removed from it: part of the suite of store.ts. */
import assert from "node:assert/strict";
import { resultIdOf } from "../../artifact/result-id.ts";
import type { Fact } from "../../model/fact.ts";
import type { Cid, RunId, RunRef } from "../../model/ids.ts";
import type { Mark } from "../../model/mark.ts";
import type { Store, SweepPlan, SweepSet } from "../../store/ports.ts";
import { sampleBytes, sampleFact, sampleSummary } from "./store-samples.ts";

export function sweepSet(facts: readonly string[] = [], contents: readonly Cid[] = []): SweepSet {
  return { facts: new Set(facts), contents: new Set(contents) };
}

/** Of a store that only the caller works with. */
export function sweepPlan(live: SweepSet, more: Partial<SweepPlan> = {}): SweepPlan {
  return {
    live,
    removed: sweepSet(),
    withOrphans: true,
    runs: [],
    isShared: false,
    isQuiet: true,
    isDryRun: false,
    ...more,
  };
}

export const SWEEP_CHECKS: Readonly<Record<string, (store: Store) => Promise<void>>> = {
  "a sweep takes what does not stay, and only that": takesWhatDoesNotStay,
  "a sweep that only counts takes nothing": countsOnly,
  "a sweep with limits takes only what they name": staysWithinLimits,
  "of several results those that stay count": resultsStay,
  "a run that was removed is in no list, and can come back": goneIsHidden,
  "rows and journals of runs go with a sweep": runsGo,
};

const SIZES = [10, 40_000, 9_000_000];

/** Sample bytes of two seeds have long parts in common. */
function distinctBytes(bytes: number, seed: number): Uint8Array {
  return sampleBytes(bytes, seed).map((byte) => byte ^ seed);
}

async function stored(store: Store, seed: number): Promise<Cid[]> {
  const puts = SIZES.map((bytes) => store.putBytes(distinctBytes(bytes, seed), "raw"));
  return (await Promise.all(puts)).map(({ id }) => id);
}

async function takesWhatDoesNotStay(store: Store): Promise<void> {
  const kept = await stored(store, 1);
  const dead = await stored(store, 2);
  const [keptFact, deadFact] = [sampleFact("aa", kept[0] as Cid), sampleFact("bb", dead[0] as Cid)];
  await store.commit({ facts: [keptFact, deadFact] });
  const live = sweepSet([`aa.${resultIdOf(keptFact)}`], kept);
  const report = await store.sweeper.begin().sweep(sweepPlan(live));
  assert.equal(report.facts, 1);
  assert.equal(report.bytes > 9_040_010 && report.bytes < 9_050_000, true, `${report.bytes} bytes`);
  assert.deepEqual(await store.has([...kept, ...dead]), [true, true, true, false, false, false]);
  for (const [at, id] of kept.entries())
    assert.ok(Buffer.from(await store.read(id)).equals(distinctBytes(SIZES[at] ?? 0, 1)));
  assert.deepEqual(await store.getFacts([keptFact.memoKey, deadFact.memoKey]), [
    keptFact,
    undefined,
  ]);
  assert.deepEqual(
    (await store.outputs("b", 9)).map(({ id }) => id),
    [kept[0]],
  );
  // What went can be stored again.
  assert.deepEqual(await stored(store, 2), dead);
  assert.ok(Buffer.from(await store.read(dead[2] as Cid)).equals(distinctBytes(9_000_000, 2)));
}

async function countsOnly(store: Store): Promise<void> {
  const dead = await stored(store, 3);
  await store.commit({ facts: [sampleFact("aa", dead[0] as Cid)] });
  const counted = await store.sweeper.begin().sweep(sweepPlan(sweepSet(), { isDryRun: true }));
  assert.deepEqual(await store.has(dead), [true, true, true]);
  assert.equal((await store.outputs("b", 9)).length, 1);
  const { diskBytes: _, ...taken } = await store.sweeper.begin().sweep(sweepPlan(sweepSet()));
  const { diskBytes, ...rest } = counted;
  assert.equal(diskBytes, 0);
  assert.deepEqual(rest, taken);
  assert.deepEqual(await store.has(dead), [false, false, false]);
}

async function staysWithinLimits(store: Store): Promise<void> {
  const [named, shared, orphan] = await Promise.all([1, 2, 3].map((seed) => stored(store, seed)));
  assert.ok(named !== undefined && shared !== undefined && orphan !== undefined);
  await store.commit({
    facts: [sampleFact("aa", named[0] as Cid), sampleFact("bb", orphan[0] as Cid)],
  });
  await store.sweeper.begin().sweep(
    sweepPlan(sweepSet([], shared), {
      removed: sweepSet(["aa"], [...named, ...shared]),
      withOrphans: false,
    }),
  );
  assert.deepEqual(await store.has([...named, ...shared]), [false, false, false, true, true, true]);
  assert.deepEqual(await store.has(orphan), [true, true, true]);
  const keys: string[] = [];
  for await (const fact of store.facts()) keys.push(fact.memoKey);
  assert.deepEqual(keys, ["bb"]);
}

async function resultsStay(store: Store): Promise<void> {
  const ids = await Promise.all(
    [1, 2, 3].map(async (byte) => (await store.putBytes(Uint8Array.of(byte), "raw")).id),
  );
  const facts = ids.map((id, at): Fact => ({ ...sampleFact("aa", id), at }));
  const [first, second, third] = facts as [Fact, Fact, Fact];
  for (const fact of facts) await store.commit({ facts: [fact] });
  const names = [first, second].map((fact) => `aa.${resultIdOf(fact)}`);
  await store.sweeper.begin().sweep(sweepPlan(sweepSet(names, ids)));
  assert.deepEqual(await store.getFacts([first.memoKey]), [second]);
  const found = await store.getResults(
    [first, second, third].map((fact) => ({ memoKey: fact.memoKey, result: resultIdOf(fact) })),
  );
  assert.deepEqual(found, [first, second, undefined]);
  const all: Fact[] = [];
  for await (const fact of store.sweeper.facts()) all.push(fact);
  assert.deepEqual(new Set(all.map(({ at }) => at)), new Set([0, 1]));
}

const run: RunRef = { flow: "f", id: "r1" as RunId };

async function goneIsHidden(store: Store): Promise<void> {
  const other: RunRef = { flow: "f", id: "r2" as RunId };
  for (const [at, ref] of [run, other].entries())
    await store.commit({ summary: sampleSummary(ref, at) });
  const gone = (at: number, value?: string): Mark => {
    const mark = { kind: "gone", on: "f/r1", name: "", at, by: "ada" } as const;
    return value === undefined ? mark : { ...mark, value };
  };
  await store.commit({ marks: [gone(1, "")] });
  assert.deepEqual(
    (await store.runs("f")).map(({ run: { id } }) => id),
    ["r2"],
  );
  assert.deepEqual(await store.areGone([run, other]), [true, false]);
  assert.equal((await store.getRun(run))?.createdAt, 0, "who knows its name finds it");
  await store.commit({ marks: [gone(2)] });
  assert.equal((await store.runs()).length, 2);
  assert.deepEqual(await store.areGone([run]), [false]);
}

async function runsGo(store: Store): Promise<void> {
  const longer: RunRef = { flow: "f", id: "r10" as RunId };
  const entries = Array.from({ length: 1200 }, (_, at) => ({
    t: "run-finished" as const,
    at,
    state: "succeeded" as const,
  }));
  for (const ref of [run, longer])
    await store.commit({ summary: sampleSummary(ref, 1), journal: { run: ref, entries } });
  const report = await store.sweeper.begin().sweep(sweepPlan(sweepSet(), { runs: [run] }));
  assert.equal(report.runs, 1);
  const lengths = await Promise.all(
    [run, longer].map(async (ref) => {
      let length = 0;
      for await (const entry of store.journal(ref)) length += entry.t === "run-finished" ? 1 : 0;
      return length;
    }),
  );
  assert.deepEqual(lengths, [0, 1200]);
  assert.deepEqual(
    (await store.runs()).map(({ run: { id } }) => id),
    ["r10"],
  );
  assert.equal(await store.getRun(run), undefined);
  // As if it had never been.
  await store.commit({ journal: { run, entries: entries.slice(0, 1) } });
  for await (const entry of store.journal(run)) assert.equal(entry.at, 0);
}
