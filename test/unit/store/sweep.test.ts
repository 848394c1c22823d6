import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { brandedFile } from "../../../src/artifact/file-brand.ts";
import { collect } from "../../../src/client/collection/collect.ts";
import { localRoots, type Roots } from "../../../src/client/collection/roots.ts";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { Cid, MemoKey } from "../../../src/model/ids.ts";
import { openLevelKv, type Kv, type KvOpener } from "../../../src/store/level/kv.ts";
import { RecentUse } from "../../../src/store/level/recent-use.ts";
import { openStore, type OpenStoreOptions } from "../../../src/store/open-store.ts";
import { SPARED_MS, type Store } from "../../../src/store/ports.ts";
import { sampleBytes, sampleFact } from "../../../src/testing/conformance/store.ts";
import { sweepPlan, sweepSet } from "../../../src/testing/conformance/store-sweep.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { memoKey, removeRun, storeRun, valueId } from "../../support/stored-runs.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-sweep-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let homes = 0;
const newHome = (): string => join(dir, `home-${homes++}`);
const open = (home: string, more: Partial<OpenStoreOptions> = {}): Promise<Store> => {
  const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return openStore(home, { ...env, ...more });
};

const segments = (home: string): string[] =>
  readdirSync(join(home, "store", "segments")).filter((name) => name.endsWith(".seg"));
const diskBytes = (home: string): number =>
  segments(home).reduce(
    (sum, name) => sum + statSync(join(home, "store", "segments", name)).size,
    0,
  );

/** Values of 100 kB that share a few segments. */
async function putMany(store: Store, count: number, seed: number): Promise<Cid[]> {
  const puts = Array.from({ length: count }, (_, i) =>
    store.putBytes(sampleBytes(100_000, seed * 1000 + i), "raw"),
  );
  return (await Promise.all(puts)).map(({ id }) => id);
}

async function assertReadable(store: Store, ids: readonly Cid[], seed: number): Promise<void> {
  for (const [i, id] of ids.entries()) {
    const data = Buffer.from(await store.read(id));
    assert.ok(data.equals(sampleBytes(100_000, seed * 1000 + i)), `content ${i}`);
  }
}

test("a segment that is mostly dead is rewritten, one that is all dead goes, and the disk gets its bytes back", async () => {
  const home = newHome();
  const store = await open(home);
  const all = await putMany(store, 40, 1);
  const dead = await putMany(store, 10, 2);
  const live = all.filter((_, i) => i % 4 === 0);
  // So that places are remembered that are not so any more afterwards.
  await assertReadable(store, all, 1);
  const before = diskBytes(home);
  const report = await store.sweeper.begin().sweep(sweepPlan(sweepSet([], live)));
  assert.equal(report.contents, 40);
  assert.equal(report.bytes, 4_000_000);
  assert.equal(before - diskBytes(home), report.diskBytes);
  assert.ok(report.diskBytes > 3_900_000, `${report.diskBytes}`);
  assert.equal((await store.stats()).bytes, diskBytes(home));
  const check = async (at: Store): Promise<void> => {
    for (const id of live) assert.equal((await at.read(id)).length, 100_000);
    assert.ok((await at.has(dead)).every((isHere) => !isHere));
  };
  await check(store);
  await store.close();
  const again = await open(home);
  await check(again);
  assert.equal((await again.stats()).segments, segments(home).length);
  await again.close();
});

test("wherever the sweep breaks off, what stays is there, and the next sweep goes on", async () => {
  for (let failAt = 1; ; failAt++) {
    const home = newHome();
    let writes = 0;
    let isArmed = false;
    const openKv: KvOpener = async (path) => {
      const kv = await openLevelKv(path);
      const batch: Kv["batch"] = async (ops) => {
        // Every other time it is on the disk before the process dies.
        if (isArmed && ++writes === failAt) {
          if (failAt % 2 === 0) await kv.batch(ops);
          throw Object.assign(new Error("input/output error"), { code: "EIO" });
        }
        await kv.batch(ops);
      };
      return { ...kv, batch };
    };
    const store = await open(home, { openKv });
    const all = await putMany(store, 12, 3);
    const live = all.filter((_, i) => i % 3 === 0);
    await store.commit({
      facts: [sampleFact("aa", live[0] as Cid), sampleFact("bb", all[1] as Cid)],
    });
    isArmed = true;
    const plan = sweepPlan(sweepSet(["aa"], live));
    const outcome = await store.sweeper
      .begin()
      .sweep(plan)
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    isArmed = false;
    const check = async (at: Store): Promise<void> => {
      for (const id of live) assert.equal((await at.read(id)).length, 100_000, `write ${failAt}`);
      assert.equal((await at.getFacts(["aa" as MemoKey]))[0]?.memoKey, "aa");
    };
    await check(store);
    await store.close();
    const again = await open(home, { openKv });
    await check(again);
    await again.sweeper.begin().sweep(sweepPlan(sweepSet(["aa"], live)));
    await check(again);
    assert.deepEqual(
      await again.has(all),
      all.map((_, i) => i % 3 === 0),
    );
    assert.ok(diskBytes(home) < 500_000, `write ${failAt}: ${diskBytes(home)} bytes`);
    await again.close();
    if (outcome === undefined) {
      assert.ok(failAt > 4, "several writes were tried");
      return;
    }
    assert.ok(isMfError(outcome, "STORE_POISONED"));
  }
});

test("a process that dies between the copy and the switch leaves nothing wrong", async () => {
  const home = newHome();
  const store = await open(home);
  const all = await putMany(store, 6, 4);
  const folder = join(home, "store", "segments");
  const [name = ""] = segments(home);
  const copy = readFileSync(join(folder, name));
  await store.sweeper.begin().sweep(sweepPlan(sweepSet([], all.slice(0, 2))));
  await store.close();
  // The segment that was swept is there again, and the index was not closed cleanly.
  writeFileSync(join(folder, name), copy);
  rmSync(join(home, "store", "index"), { recursive: true });
  const again = await open(home);
  await assertReadable(again, all, 4);
  await again.close();
});

test("others may work with the store: what was asked for lately stays, and old places can be read for a while", async () => {
  const home = newHome();
  const clock = new ManualClock();
  const store = await open(home, { clock });
  const all = await putMany(store, 12, 5);
  await store.commit({ facts: [sampleFact("aa", all[0] as Cid), sampleFact("bb", all[1] as Cid)] });
  const shared = { isShared: true };
  const fresh = await store.sweeper.begin().sweep(sweepPlan(sweepSet(), shared));
  assert.deepEqual([fresh.facts, fresh.contents], [0, 0], "it was stored just now");
  clock.advance(3 * SPARED_MS);
  // Asked for: a fact, and a content.
  await store.getFacts(["aa" as MemoKey]);
  const [place] = await store.locate([all[2] as Cid]);
  const report = await store.sweeper
    .begin()
    .sweep(sweepPlan(sweepSet([], [all[3] as Cid]), shared));
  assert.deepEqual([report.facts, report.contents], [1, 10]);
  assert.deepEqual(
    await store.has(all),
    all.map((_, i) => i === 2 || i === 3),
  );
  assert.ok(place !== undefined && "parts" in place);
  const file = place.parts[0]?.file ?? "";
  assert.ok(statSync(file).size > 0, "who was told of this file still finds it");
  clock.advance(10 * 60_000);
  // One sweep after the other, and after the files that went on their own.
  await store.sweeper
    .begin()
    .sweep(sweepPlan(sweepSet([], [all[2], all[3]] as Cid[]), { isDryRun: true }));
  assert.throws(() => statSync(file));
  for (const at of [2, 3]) assert.equal((await store.read(all[at] as Cid)).length, 100_000);
  await store.close();
});

test("while no run goes on, what was removed goes at once, except what was asked for since the sweep began", async () => {
  const store = await open(newHome());
  const all = await putMany(store, 6, 8);
  const [, , removed, asked] = all as [Cid, Cid, Cid, Cid];
  await store.commit({ facts: [sampleFact("aa", removed), sampleFact("bb", asked)] });
  const plan = { removed: sweepSet(["aa", "bb"], [removed, asked]), isShared: true };
  const busy = await store.sweeper
    .begin()
    .sweep(sweepPlan(sweepSet(), { ...plan, isQuiet: false }));
  assert.deepEqual([busy.facts, busy.contents], [0, 0]);
  const sweep = store.sweeper.begin();
  await store.getFacts(["bb" as MemoKey]);
  await store.has([asked]);
  const report = await sweep.sweep(sweepPlan(sweepSet(), plan));
  assert.deepEqual([report.facts, report.contents], [1, 1]);
  assert.deepEqual(await store.has(all), [true, true, false, true, true, true]);
  await store.close();
});

test("a fact that a run took while its run was being collected keeps its page and the files inside its value", async () => {
  const store = await open(newHome());
  const [file, page, other] = (await putMany(store, 3, 9)) as [Cid, Cid, Cid];
  const output = brandedFile({ id: file, name: "x.bin", size: 100_000 });
  // What was used is told by a key's end.
  const [takenKey, leftKey] = ["taken".padStart(32), "left".padStart(32)] as const;
  const tasks = [
    { key: takenKey, output },
    { key: leftKey, output: brandedFile({ id: other, name: "y.bin", size: 100_000 }) },
  ];
  const { facts, text } = await storeRun(store, "aaaaaaaaaa", { tasks });
  const [taken] = facts.map((fact) => ({ ...fact, page }));
  await store.commit({ facts: taken === undefined ? [] : [taken] });
  await removeRun(store, text);
  const findRoots = async (): Promise<Roots> => {
    const roots = await localRoots(store);
    await store.getFacts([memoKey(takenKey)]);
    await store.has([valueId(output)]);
    return roots;
  };
  const report = await collect(store, findRoots, { isShared: true, now: 5000 });
  assert.equal(report.facts, 1);
  assert.deepEqual(await store.getFacts([memoKey(takenKey), memoKey(leftKey)]), [taken, undefined]);
  assert.deepEqual(await store.has([valueId(output), file, page, other]), [
    true,
    true,
    true,
    false,
  ]);
  await store.close();
});

test("a sweep that began too long ago takes nothing more", async () => {
  const clock = new ManualClock();
  const store = await open(newHome(), { clock });
  const [id] = await putMany(store, 1, 6);
  const sweep = store.sweeper.begin();
  clock.advance(SPARED_MS + 1);
  await sweep.sweep(sweepPlan(sweepSet()));
  assert.deepEqual(await store.has([id as Cid]), [true]);
  await store.close();
});

test("what is stored again while it is being swept is there afterwards", async () => {
  const clock = new ManualClock();
  const store = await open(newHome(), { clock });
  const old = await putMany(store, 30, 7);
  for (let round = 0; round < 12; round++) {
    clock.advance(3 * SPARED_MS);
    const plan = sweepPlan(sweepSet(), { isShared: true });
    // What is here already is not written again, and what is being swept must not count as being here.
    const [again, , asked] = await Promise.all([
      putMany(store, 30, 7),
      store.sweeper.begin().sweep(plan),
      store.has(old.slice(0, 3)),
    ]);
    assert.deepEqual(again, old);
    assert.equal(asked.length, 3);
    await assertReadable(store, old, 7);
  }
  await store.close();
});

test("a store of before there was an index of outputs gets one", async () => {
  const home = newHome();
  const store = await open(home);
  const { id } = await store.putBytes(Uint8Array.of(1), "raw");
  await store.commit({ facts: [sampleFact("aa", id)] });
  await store.close();
  const kv = await openLevelKv(join(home, "store", "index"));
  const rows: string[] = ["m!outputs"];
  for (const prefix of ["o!", "p!"]) for await (const [key] of kv.rows(prefix)) rows.push(key);
  assert.equal(rows.length, 2);
  await kv.batch(rows.map((key) => ({ type: "del", key })));
  await kv.close();
  const again = await open(home);
  assert.deepEqual(await again.outputs(id.slice(0, 12), 9), [{ id, bytes: 9, kind: "number" }]);
  await again.close();
});

test("what is used is remembered for one span at least and two at most", async () => {
  const clock = new ManualClock();
  const recent = new RecentUse(clock, 1000);
  recent.add("a");
  assert.deepEqual([recent.has("a"), recent.has("b")], [true, false]);
  clock.advance(1500);
  recent.add("b");
  assert.deepEqual([recent.has("a"), recent.has("b")], [true, true]);
  clock.advance(1000);
  recent.add("c");
  assert.deepEqual([recent.has("a"), recent.has("b"), recent.has("c")], [false, true, true]);
  clock.advance(10_000);
  recent.add("d");
  assert.deepEqual([recent.has("c"), recent.has("d")], [false, true]);
  const many = new RecentUse(clock, 1000);
  for (let i = 0; i < 100_000; i++) many.add(`${i}`.padStart(20, "0"));
  const spared = Array.from({ length: 10_000 }, (_, i) => `other ${i}`).filter((key) =>
    many.has(key),
  );
  assert.ok(spared.length < 50, `${spared.length} spared by chance`);
});
