import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import type { Cid } from "../../../../src/model/ids.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { TestMesh } from "./bulk-fixture.ts";

const MIB = 1024 * 1024;

test("small content comes with the answer, without a lane", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const puts = await Promise.all([1, 20, 3000].map((n) => a.store.putBytes(randomBytes(n), "raw")));
  const ids = puts.map(({ id }) => id);
  await b.bulk.bring(ids, { hints: [a.id] });
  assert.deepEqual(await b.store.has(ids), [true, true, true]);
  assert.equal(b.bulk.stats().transfers, 0);
  for (const id of ids) assert.deepEqual(await b.store.read(id), await a.store.read(id));
});

test("content of every size arrives as it was, with its manifest, and without a hint", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const sizes = [0, 16 * 1024, 16 * 1024 + 1, 100_000, 4 * MIB, 4 * MIB + 1, 40 * MIB];
  const ids: Cid[] = [];
  for (const size of sizes) ids.push((await a.store.putBytes(randomBytes(size), "messagepack")).id);
  const seen: number[] = [];
  let total = 0;
  await b.bulk.bring(ids, {
    onProgress: (progress) => {
      seen.push(progress.bytes);
      ({ total } = progress);
    },
  });
  for (const [i, id] of ids.entries()) {
    const data = await b.store.read(id);
    assert.equal(data.length, sizes[i]);
    assert.ok(Buffer.from(data).equals(await a.store.read(id)));
    let streamed = 0;
    for await (const piece of b.store.stream(id)) streamed += piece.length;
    assert.equal(streamed, sizes[i]);
  }
  assert.ok(seen.length > 0 && (seen.at(-1) ?? 0) <= total);
  assert.ok((b.bulk.bandwidth(a.id) ?? 0) > 0);
  await b.bulk.bring(ids);
  assert.equal(b.bulk.stats().brought, ids.length);
});

test("what nobody has is missing, with the names of those who were asked", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(10), "raw");
  const other = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" as Cid;
  await assert.rejects(b.bulk.bring([id, other]), (error) => {
    assert.ok(isMfError(error, "CONTENT_MISSING"));
    assert.equal(error.details["id"], other);
    assert.deepEqual(error.details["asked"], ["a"]);
    return true;
  });
  assert.deepEqual(await b.store.has([id]), [true]);
  const lonely = new TestMesh();
  after(() => lonely.close());
  const c = await lonely.peer("c");
  await assert.rejects(c.bulk.bring([other]), (error) => isMfError(error, "CONTENT_MISSING"));
});

test("sixteen readers of one large artifact make one transfer", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(100 * MIB), "raw");
  const reading = b.bulk.openReading(b.store);
  const lengths = await Promise.all(
    Array.from({ length: 16 }, async () => {
      await b.bulk.bring([id], { hints: [a.id] });
      return (await reading.read(id)).length;
    }),
  );
  assert.ok(lengths.every((length) => length === 100 * MIB));
  assert.equal(b.bulk.stats().transfers, 1);
  assert.equal(b.bulk.stats().fetchedBytes, 100 * MIB);
});

test("chunks that are here already are not fetched again", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const data = randomBytes(20 * MIB);
  const first = await a.store.putBytes(data, "raw");
  const changed = Buffer.from(data);
  changed.fill(7, 10 * MIB, 10 * MIB + 100);
  const second = await a.store.putBytes(changed, "raw");
  await b.bulk.bring([first.id]);
  const before = b.bulk.stats().fetchedBytes;
  await b.bulk.bring([second.id]);
  const fetched = b.bulk.stats().fetchedBytes - before;
  assert.ok(fetched > 0 && fetched <= 5 * MIB, `${fetched} bytes`);
  assert.ok(Buffer.from(await b.store.read(second.id)).equals(changed));
});

test("a reading store brings what it reads, and knows what others hold", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const large = await a.store.putBytes(randomBytes(6 * MIB), "raw");
  const small = await a.store.putBytes(randomBytes(100), "raw");
  const nowhere = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" as Cid;
  const reading = b.bulk.openReading(b.store);
  assert.deepEqual(await reading.has([large.id, small.id, nowhere]), [true, true, false]);
  assert.deepEqual(await reading.locate([large.id]), [undefined]);
  let streamed = 0;
  for await (const piece of reading.stream(large.id)) streamed += piece.length;
  assert.equal(streamed, 6 * MIB);
  assert.equal((await reading.read(small.id)).length, 100);
  assert.deepEqual(await b.store.has([large.id, small.id]), [true, true]);
  const holders = await b.bulk.holders([large.id, nowhere]);
  assert.deepEqual(holders.get(large.id), ["b", "a"] as PeerId[]);
  assert.deepEqual(holders.get(nowhere), []);
});

test("copies are spread until enough peers hold them", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const others = [await mesh.peer("b"), await mesh.peer("c"), await mesh.peer("d")];
  await mesh.peer("e", { roles: ["submit"] });
  const ids: Cid[] = [];
  for (const size of [10, 50_000, 5 * MIB]) {
    ids.push((await a.store.putBytes(randomBytes(size), "raw")).id);
  }
  a.bulk.spread(ids, 3);
  await until(() => a.bulk.stats().copied === 6);
  assert.equal(a.bulk.stats().spreadPending, 0);
  for (const id of ids) {
    const held = await Promise.all(others.map(async ({ store }) => (await store.has([id]))[0]));
    assert.equal(held.filter(Boolean).length, 2);
  }
  // What enough peers hold is not copied again.
  a.bulk.spread(ids, 3);
  await a.bulk.holders(ids);
  assert.equal(a.bulk.stats().spreadPending, 0);
});

test("a caller that gives up does not end a transfer that another one waits for", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(30 * MIB), "raw");
  const abort = new AbortController();
  const first = b.bulk.bring([id], { signal: abort.signal });
  const second = b.bulk.bring([id]);
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  await assert.rejects(first, (error) => isMfError(error, "INTERRUPTED"));
  await second;
  const other = await a.store.putBytes(randomBytes(30 * MIB), "raw");
  const alone = new AbortController();
  const third = b.bulk.bring([other.id], { signal: alone.signal, hints: [a.id] });
  await new Promise((resolve) => setImmediate(resolve));
  alone.abort();
  await assert.rejects(third, (error) => isMfError(error, "INTERRUPTED"));
  await b.bulk.bring([other.id]);
  assert.deepEqual(await b.store.has([id, other.id]), [true, true]);
});

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 100_000, "it never came to pass");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("stopping ends what is under way, and who waits is told", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const { id } = await a.store.putBytes(randomBytes(40 * MIB), "raw");
  let stopped: Promise<void> | undefined;
  const bringing = b.bulk.bring([id], {
    hints: [a.id],
    onProgress: () => {
      stopped ??= b.bulk.stop();
    },
  });
  await assert.rejects(bringing, (error) => isMfError(error, "INTERRUPTED"));
  await stopped;
  assert.deepEqual(await b.store.has([id]), [false]);
});

test("many artifacts asked for one by one, at once, all arrive over a few lanes", async () => {
  const mesh = new TestMesh();
  after(() => mesh.close());
  const a = await mesh.peer("a");
  const b = await mesh.peer("b");
  const puts = Array.from({ length: 60 }, () => a.store.putBytes(randomBytes(100_000), "raw"));
  const ids = (await Promise.all(puts)).map(({ id }) => id);
  await Promise.all(ids.map((id) => b.bulk.bring([id], { hints: [a.id] })));
  assert.ok((await b.store.has(ids)).every(Boolean));
  assert.ok(a.bulk.stats().lanesServed <= 4);
  const { segments } = await b.store.stats();
  assert.ok(segments <= 12, `they share segments and their fsyncs: ${segments} for 60`);
});
