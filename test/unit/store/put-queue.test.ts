/** Puts over the inline limit: concurrent ones share a segment, and one that fails does not take the others with it. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { contentIdOf } from "../../../src/artifact/content.ts";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { Cid } from "../../../src/model/ids.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/ports.ts";
import { sampleBytes } from "../../../src/testing/conformance/store.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-puts-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let homes = 0;
const open = (home = join(dir, `home-${homes++}`)): Promise<Store> =>
  openStore(home, { clock: systemClock, random: systemRandom, logger: silentLogger });

const isSame = (one: Uint8Array, other: Uint8Array | undefined): boolean =>
  other !== undefined && Buffer.compare(one, other) === 0;

test("concurrent puts share segments, whatever their size and source, and survive reopening", async () => {
  const store = await open();
  const sizes = [16_385, 100_000, 262_144, 1_048_577, 5_000_000, 17_000_000, 0, 20_000];
  const values = Array.from({ length: 24 }, (_, i) => sampleBytes(sizes[i % 8] ?? 0, i + 1));
  const puts = values.map((data, i) => {
    if (i % 3 !== 0) return store.putBytes(data, "raw");
    const path = join(dir, `file-${i}`);
    writeFileSync(path, data);
    return store.putFile(path);
  });
  const ids = (await Promise.all(puts)).map(({ id }) => id);
  assert.deepEqual(
    ids,
    values.map((data) => contentIdOf("raw", data)),
  );
  assert.ok((await store.stats()).segments < 18, "a segment each would be 24");
  assert.deepEqual(readdirSync(store.scratchDir), []);
  for (const [i, id] of ids.entries()) assert.ok(isSame(await store.read(id), values[i]));
  await store.close();
  const again = await open(store.home);
  for (const [i, id] of ids.entries()) assert.ok(isSame(await again.read(id), values[i]));
  await again.close();
});

test("a source that cannot be read fails alone", async () => {
  const store = await open();
  const folder = join(dir, "folder");
  mkdirSync(folder);
  const data = sampleBytes(50_000);
  const [bad, good, missing] = await Promise.allSettled([
    store.putFile(folder),
    store.putBytes(data, "messagepack"),
    store.putFile(join(dir, "nowhere")),
  ]);
  assert.ok(bad?.status === "rejected" && /EISDIR/.test(String(bad.reason)));
  assert.ok(missing?.status === "rejected" && /ENOENT/.test(String(missing.reason)));
  assert.ok(good?.status === "fulfilled");
  assert.equal(good.value.id, contentIdOf("messagepack", data));
  assert.deepEqual(await store.read(good.value.id), data);
  await store.close();
});

test("what was put before close() is acknowledged; after it, it is refused", async () => {
  const store = await open();
  const puts = [1, 2, 3].map((seed) => store.putBytes(sampleBytes(300_000, seed), "raw"));
  await store.close();
  assert.equal((await Promise.all(puts)).length, 3);
  await assert.rejects(store.putBytes(sampleBytes(300_000, 4), "raw"), (error) =>
    isMfError(error, "STORE_POISONED"),
  );
});

test("pieces read from more files than are kept open are whole", async () => {
  const store = await open();
  const values = Array.from({ length: 90 }, (_, i) => sampleBytes(17_000, i + 1));
  const ids: Cid[] = [];
  for (const data of values) ids.push((await store.putBytes(data, "raw")).id);
  assert.ok((await store.stats()).segments >= 90);
  for (let round = 0; round < 2; round++) {
    const read = await Promise.all(ids.map((id) => store.read(id)));
    assert.deepEqual(read, values);
  }
  await store.close();
});
