import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { Cid, MemoKey, RunId } from "../../../src/model/ids.ts";
import type { JournalEntry } from "../../../src/model/journal.ts";
import { openLevelKv, type Kv, type KvOpener } from "../../../src/store/level/kv.ts";
import { openStore, type OpenStoreOptions } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/ports.ts";
import { sampleBytes, sampleFact } from "../../../src/testing/conformance/store.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-faults-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let homes = 0;
const newHome = (): string => join(dir, `home-${homes++}`);
const open = (home: string, more: Partial<OpenStoreOptions> = {}): Promise<Store> => {
  const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return openStore(home, { ...env, ...more });
};
const id = "bafk" as Cid;
const finished = (at: number): JournalEntry => ({ t: "run-finished", at, state: "succeeded" });
const run = { flow: "f", id: "r" as RunId };

/** Writes fail with what `fault.error` holds. */
function failingKv(fault: { error: Error | undefined; opened: number }): KvOpener {
  return async (path) => {
    fault.opened++;
    const kv = await openLevelKv(path);
    const batch: Kv["batch"] = async (ops) => {
      if (fault.error !== undefined) throw fault.error;
      await kv.batch(ops);
    };
    return { ...kv, batch };
  };
}

test("a full disk rejects everything pending, loses nothing acknowledged, and the store goes on when there is space", async () => {
  const fault: { error: Error | undefined; opened: number } = { error: undefined, opened: 0 };
  const home = newHome();
  const store = await open(home, { openKv: failingKv(fault) });
  assert.ok(statSync(join(home, "store", "ballast")).size > 1_000_000);
  await store.commit({ facts: [sampleFact("aa", id)], journal: { run, entries: [finished(0)] } });
  fault.error = Object.assign(new Error("IO error: No space left on device"), { code: "LEVEL_IO" });
  const refused = [1, 2, 3].map((n) =>
    store.commit({ facts: [sampleFact(`b${n}`, id)], journal: { run, entries: [finished(n)] } }),
  );
  for (const result of await Promise.allSettled(refused)) {
    assert.ok(result.status === "rejected" && isMfError(result.reason, "STORE_FULL"));
  }
  assert.throws(() => statSync(join(home, "store", "ballast")));
  await assert.rejects(store.getFacts(["aa" as MemoKey]), (error) =>
    isMfError(error, "STORE_FULL"),
  );
  fault.error = undefined;
  await store.commit({ facts: [sampleFact("cc", id)], journal: { run, entries: [finished(4)] } });
  assert.ok(fault.opened >= 2);
  const found = await store.getFacts(["aa", "b1", "cc"] as MemoKey[]);
  assert.deepEqual(
    found.map((fact) => fact?.memoKey),
    ["aa", undefined, "cc"],
  );
  const seen: number[] = [];
  for await (const entry of store.journal(run)) seen.push(entry.at);
  assert.deepEqual(seen, [0, 4]);
  await store.close();
});

test("any other write error poisons, and says so", async () => {
  const fault: { error: Error | undefined; opened: number } = { error: undefined, opened: 0 };
  const store = await open(newHome(), { openKv: failingKv(fault) });
  fault.error = Object.assign(new Error("input/output error"), { code: "EIO" });
  const refused = store.putBytes(sampleBytes(10), "raw");
  await assert.rejects(refused, (error) => isMfError(error, "STORE_POISONED"));
  fault.error = undefined;
  const put = await store.putBytes(sampleBytes(10), "raw");
  assert.deepEqual(await store.has([put.id]), [true]);
  await store.close();
});

test("a second opener is told who holds the store; a stale lock is taken over", async () => {
  const home = newHome();
  const store = await open(home);
  await assert.rejects(open(home), (error) => {
    return isMfError(error, "STORE_IN_USE") && error.details["pid"] === process.pid;
  });
  await store.close();
  for (const stale of [
    `{"pid":${process.pid},"started":"1"}`,
    '{"pid":4194303,"started":"1"}',
    "",
  ]) {
    writeFileSync(join(home, "lock"), stale);
    await (await open(home)).close();
  }
});

test("a home that cannot be written is refused by code", async () => {
  const file = join(dir, "a-file");
  writeFileSync(file, "");
  await assert.rejects(open(join(file, "home")), (error) => isMfError(error, "STORE_UNWRITABLE"));
});

test("a flipped bit is found at first read, set aside, and can be stored again", async () => {
  const home = newHome();
  const store = await open(home);
  const data = sampleBytes(100_000);
  const { id: stored } = await store.putBytes(data, "raw");
  const segments = join(home, "store", "segments");
  const path = join(segments, readdirSync(segments)[0] ?? "");
  const bytes = readFileSync(path);
  bytes[5000] = (bytes[5000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await assert.rejects(store.read(stored), (error) => isMfError(error, "CONTENT_MISMATCH"));
  await assert.rejects(store.read(stored), (error) => isMfError(error, "CONTENT_MISSING"));
  await store.putBytes(data, "raw");
  assert.ok(Buffer.from(await store.read(stored)).equals(data));
  await store.close();
});

test("an index that is gone is rebuilt from the segments", async () => {
  const home = newHome();
  const store = await open(home);
  const puts = await Promise.all(
    [1, 2].map((n) => store.putBytes(sampleBytes(5_000_000, n), "raw")),
  );
  await store.close();
  rmSync(join(home, "store", "index"), { recursive: true });
  writeFileSync(join(home, "store", "index"), "not a database");
  const again = await open(home);
  for (const put of puts) assert.equal((await again.read(put.id)).length, 5_000_000);
  const more = await again.putBytes(sampleBytes(50_000, 9), "raw");
  assert.equal((await again.read(more.id)).length, 50_000);
  await again.close();
});

test("a damaged manifest of LevelDB is repaired", async () => {
  const home = newHome();
  const store = await open(home);
  const put = await store.putBytes(sampleBytes(50_000), "raw");
  await store.commit({ facts: [sampleFact("aa", put.id)] });
  await store.close();
  writeFileSync(join(home, "store", "index", "CURRENT"), "garbage\n");
  const again = await open(home);
  assert.equal((await again.read(put.id)).length, 50_000);
  assert.notEqual((await again.getFacts(["aa" as MemoKey]))[0], undefined);
  await again.close();
});

test("ten thousand facts commit in well under half a second and opening stays fast", async () => {
  const home = newHome();
  const store = await open(home);
  const facts = Array.from({ length: 10_000 }, (_, i) => sampleFact(`k${i}`, id));
  const started = performance.now();
  await store.commit({ facts });
  const ms = performance.now() - started;
  assert.ok(ms < 1500, `${ms} ms`);
  await store.close();
  await (await open(home)).close();
});

test("what was acknowledged survives SIGKILL at any moment", async () => {
  const child = fileURLToPath(new URL("../../support/store-writer.js", import.meta.url));
  for (let round = 0; round < 10; round++) {
    const home = newHome();
    const writer = spawn(process.execPath, [child, home], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    const enough = 2 + Math.floor(systemRandom.next() * 40);
    writer.stdout.setEncoding("utf8");
    for await (const chunk of writer.stdout as AsyncIterable<string>) {
      text += chunk;
      if (text.split("\n").length > enough) break;
    }
    writer.kill("SIGKILL");
    if (writer.signalCode === null && writer.exitCode === null) await once(writer, "exit");
    const acknowledged = text.split("\n").slice(0, -1);
    assert.ok(acknowledged.length > 0);
    const store = await open(home);
    for (const line of acknowledged) {
      const [key, small, large] = line.split(" ");
      const [fact] = await store.getFacts([key as MemoKey]);
      assert.equal(fact?.memoKey, key);
      await store.read(small as Cid);
      await store.read(large as Cid);
    }
    let entries = 0;
    for await (const entry of store.journal(run)) assert.equal(entry.at, entries++);
    assert.ok(entries >= acknowledged.length);
    await store.close();
  }
});
