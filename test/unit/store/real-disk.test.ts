/** The store on a file system that really is full or read-only: a small tmpfs, where this user may mount one. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { Cid, MemoKey, RunId } from "../../../src/model/ids.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/ports.ts";
import { sampleBytes, sampleFact } from "../../../src/testing/conformance/store.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-disk-"));
const mounted: string[] = [];
after(() => {
  for (const path of mounted) spawnSync("umount", [path]);
  rmSync(dir, { recursive: true, force: true });
});
const open = (home: string): Promise<Store> =>
  openStore(home, { clock: systemClock, random: systemRandom, logger: silentLogger });
const run = { flow: "f", id: "r" as RunId };

/** Undefined, and the test skipped, where mounting is not permitted. */
function mountTmpfs(t: TestContext, name: string, mebibytes: number): string | undefined {
  const path = join(dir, name);
  mkdirSync(path);
  const args = ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path];
  const done = spawnSync("mount", args, { encoding: "utf8" });
  if (done.status === 0) {
    mounted.push(path);
    return path;
  }
  t.skip(`a tmpfs may not be mounted here: ${done.error?.message ?? done.stderr.trim()}`);
  return undefined;
}

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

async function commitFact(store: Store, n: number): Promise<void> {
  const key = `k${String(n).padStart(4, "0")}`;
  await store.commit({
    facts: [sampleFact(key, "bafk" as Cid)],
    journal: { run, entries: [{ t: "run-finished", at: n, state: "succeeded" }] },
  });
}

async function assertWhole(store: Store, stored: readonly Cid[], facts: number): Promise<void> {
  for (const id of stored) assert.equal((await store.read(id)).length, 600_000);
  const keys = Array.from({ length: facts }, (_, n) => `k${String(n).padStart(4, "0")}` as MemoKey);
  assert.ok((await store.getFacts(keys)).every((fact) => fact !== undefined));
  let entries = 0;
  for await (const entry of store.journal(run)) assert.equal(entry.at, entries++);
  assert.equal(entries, facts);
}

test("on a disk that is really full, what was acknowledged survives, and the store goes on when there is space", async (t) => {
  const disk = mountTmpfs(t, "full", 24);
  if (disk === undefined) return;
  const filler = join(disk, "somebody-elses-file");
  writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024, 1));
  const home = join(disk, "home");
  let store = await open(home);
  const stored: Cid[] = [];
  let refusal: unknown;
  for (let n = 0; n < 60 && refusal === undefined; n++) {
    try {
      const { id } = await store.putBytes(sampleBytes(600_000, n + 1), "raw");
      stored.push(id);
      await commitFact(store, stored.length - 1);
    } catch (error) {
      refusal = error;
    }
  }
  assert.ok(isMfError(refusal, "STORE_FULL"), String(refusal));
  assert.ok(stored.length >= 5);
  assert.deepEqual(readdirSync(join(home, "scratch")), [], "half a segment is left");
  rmSync(filler);
  await assertWhole(store, stored, stored.length);
  stored.push((await store.putBytes(sampleBytes(600_000, 1000), "raw")).id);
  await commitFact(store, stored.length - 1);
  await assertWhole(store, stored, stored.length);
  await store.close();
  store = await open(home);
  await assertWhole(store, stored, stored.length);
  await store.close();
});

test("facts alone fill a disk: STORE_FULL, and after that every acknowledged one is there", async (t) => {
  const disk = mountTmpfs(t, "facts", 12);
  if (disk === undefined) return;
  const filler = join(disk, "somebody-elses-file");
  const store = await open(join(disk, "home"));
  writeFileSync(filler, Buffer.alloc(Math.max(0, freeBytes(disk) - 512 * 1024), 1));
  let acknowledged = 0;
  let refusal: unknown;
  while (refusal === undefined && acknowledged < 5000) {
    try {
      await commitFact(store, acknowledged);
      acknowledged++;
    } catch (error) {
      refusal = error;
    }
  }
  assert.ok(isMfError(refusal, "STORE_FULL"), String(refusal));
  assert.ok(acknowledged > 10);
  rmSync(filler);
  await assertWhole(store, [], acknowledged);
  await commitFact(store, acknowledged);
  await store.close();
  const again = await open(join(disk, "home"));
  await assertWhole(again, [], acknowledged + 1);
  await again.close();
});

test("a disk mounted read-only is STORE_UNWRITABLE, and can be opened once it is writable", async (t) => {
  const disk = mountTmpfs(t, "read-only", 24);
  if (disk === undefined) return;
  const home = join(disk, "home");
  const store = await open(home);
  await commitFact(store, 0);
  await store.close();
  assert.equal(spawnSync("mount", ["-o", "remount,ro", disk]).status, 0);
  await assert.rejects(open(home), (error) => isMfError(error, "STORE_UNWRITABLE"));
  await assert.rejects(open(join(disk, "new")), (error) => isMfError(error, "STORE_UNWRITABLE"));
  assert.equal(spawnSync("mount", ["-o", "remount,rw", disk]).status, 0);
  const again = await open(home);
  await assertWhole(again, [], 1);
  await again.close();
});
