/** What every Store must do, as a suite to run against an implementation. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cidOf } from "../../artifact/cid.ts";
import { isMfError } from "../../model/errors.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import type { Fact } from "../../model/fact.ts";
import type { Mark } from "../../model/mark.ts";
import type { MemoKey, ResultId, RunId } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import type { Store } from "../../store/ports.ts";
import { sampleBytes, sampleFact, sampleSummary } from "./store-samples.ts";
import { SWEEP_CHECKS } from "./store-sweep.ts";
import { readLocation } from "../../store/segment/segment-reader.ts";
import { SegmentWriter } from "../../store/segment/segment-writer.ts";

export { sampleBytes, sampleFact, sampleSummary };

/** `open` gives a fresh, empty store; the suite closes it. */
export function storeConformance(name: string, open: () => Promise<Store>): void {
  const check = (what: string, body: (store: Store) => Promise<void>): void => {
    void test(`${name}: ${what}`, async () => {
      const store = await open();
      try {
        await body(store);
      } finally {
        await store.close();
      }
    });
  };
  check("bytes of every size come back under their id", bytesComeBack);
  check("a file has the id of its bytes", fileHasIdOfBytes);
  check("facts come back as they were, in key order", factsComeBack);
  check("every result of one memo key stays, the latest counts", resultsStay);
  check("outputs are found by the beginning of their ids", outputsAreFound);
  check("of the marks of one key the later write counts", laterMarkCounts);
  check("a scratch segment is adopted whole, together with its facts", scratchIsAdopted);
  check("a segment that was hashed while it was written is taken over", writtenIsTakenOver);
  check("a batch with one wrong piece leaves nothing behind", wrongBatchLeavesNothing);
  check("journals keep the order of the calls", journalsKeepOrder);
  check("entries from a position on replace what stood there", journalIsReplaced);
  check("runs are listed newest first", runsNewestFirst);
  check("missing content is missing", missingIsMissing);
  for (const [what, body] of Object.entries(SWEEP_CHECKS)) check(what, body);
}

async function bytesComeBack(store: Store): Promise<void> {
  for (const bytes of [0, 1, 16_384, 16_385, 300_000, 1_500_000, 9_000_000]) {
    const data = sampleBytes(bytes);
    const put = await store.putBytes(data, "messagepack");
    assert.equal(put.bytes, bytes);
    assert.ok(Buffer.from(await store.read(put.id)).equals(data), `${bytes} bytes`);
    const pieces: Uint8Array[] = [];
    for await (const piece of store.stream(put.id)) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(data));
    const [location] = await store.locate([put.id]);
    assert.ok(location !== undefined && Buffer.from(readLocation(location)).equals(data));
  }
}

async function fileHasIdOfBytes(store: Store): Promise<void> {
  for (const bytes of [10, 100_000, 6_000_000]) {
    const data = sampleBytes(bytes, 5);
    const path = join(store.scratchDir, `file-${bytes}`);
    writeFileSync(path, data);
    const put = await store.putFile(path);
    assert.deepEqual(put, await store.putBytes(data, "raw"));
    assert.ok(Buffer.from(await store.read(put.id)).equals(data));
  }
}

async function factsComeBack(store: Store): Promise<void> {
  const { id } = await store.putBytes(Uint8Array.of(1), "raw");
  const facts = ["bb", "aa", "cc"].map((key) => sampleFact(key, id));
  // One is on a page, the others are as version 0.1 made them.
  facts[1] = { ...sampleFact("aa", id), page: id };
  await store.commit({ facts });
  const [b, missing, a] = await store.getFacts(["bb", "zz", "aa"] as MemoKey[]);
  assert.deepEqual([b, missing, a], [facts[0], undefined, facts[1]]);
  const keys: string[] = [];
  for await (const fact of store.facts()) keys.push(fact.memoKey);
  assert.deepEqual(keys, ["aa", "bb", "cc"]);
}

async function resultsStay(store: Store): Promise<void> {
  const ids = await Promise.all(
    [1, 2].map(async (byte) => (await store.putBytes(Uint8Array.of(byte), "raw")).id),
  );
  const [a, b] = ids.map((id) => sampleFact("aa", id)) as [Fact, Fact];
  // In one commit, in two at once, and back to the first: none is lost.
  await store.commit({ facts: [a, b] });
  await Promise.all([store.commit({ facts: [a] }), store.commit({ facts: [b] })]);
  const refs = [a, b].map((fact) => ({ memoKey: fact.memoKey, result: resultIdOf(fact) }));
  assert.deepEqual(await store.getResults(refs), [a, b]);
  assert.deepEqual(await store.getFacts([a.memoKey]), [b]);
  const unknown = { memoKey: a.memoKey, result: "0".repeat(32) as ResultId };
  const { memoKey } = a;
  const found = await store.getResults([unknown, { memoKey }, { memoKey: "zz" as MemoKey }]);
  assert.deepEqual(found, [undefined, b, undefined]);
  // The same result made again is the latest of that key.
  await store.commit({ facts: [{ ...a, at: 5, by: "other" }] });
  assert.equal((await store.getFacts([a.memoKey]))[0]?.by, "other");
}

async function outputsAreFound(store: Store): Promise<void> {
  const first = await store.putBytes(Uint8Array.of(1), "raw");
  const second = await store.putBytes(Uint8Array.of(2), "raw");
  await store.commit({
    facts: [sampleFact("aa", first.id), sampleFact("bb", second.id), sampleFact("cc", first.id)],
  });
  const all = await store.outputs("baf", 9);
  assert.deepEqual(
    all.map((ref) => ref.id),
    [first.id, second.id].sort(),
  );
  assert.deepEqual(await store.outputs(second.id, 9), [
    { id: second.id, bytes: 9, kind: "number" },
  ]);
  assert.equal((await store.outputs("baf", 1)).length, 1);
  assert.deepEqual(await store.outputs("bzz", 9), []);
}

async function laterMarkCounts(store: Store): Promise<void> {
  const mark = (at: number, by: string, value?: string): Mark => {
    const key = { kind: "tag", on: "sweep/1", name: "best" } as const;
    return value === undefined ? { ...key, at, by } : { ...key, value, at, by };
  };
  const note: Mark = { kind: "note", on: "sweep/1", name: "", value: "why", at: 1, by: "ada" };
  await store.commit({ marks: [mark(2, "ada", ""), mark(1, "bob"), note] });
  await Promise.all([
    store.commit({ marks: [mark(3, "bob", "")] }),
    store.commit({ marks: [mark(3, "cyd")] }),
    store.commit({ marks: [mark(2, "eve", "")] }),
  ]);
  const marks = (await store.marks()).sort((a, b) => (a.kind < b.kind ? -1 : 1));
  assert.deepEqual(marks, [note, mark(3, "cyd")]);
}

async function scratchIsAdopted(store: Store): Promise<void> {
  const writer = new SegmentWriter(join(store.scratchDir, "a.seg"));
  const small = writer.putContent("messagepack", sampleBytes(20_000));
  const large = writer.putContent("raw", sampleBytes(7_000_000, 3));
  writer.finish();
  await store.commit({ scratch: [writer.path], facts: [sampleFact("aa", small)] });
  assert.deepEqual(await store.has([small, large]), [true, true]);
  assert.equal((await store.read(large)).length, 7_000_000);
  assert.ok(Buffer.from(await store.read(small)).equals(sampleBytes(20_000)));
  assert.ok((await store.stats()).bytes > 7_000_000);
}

async function writtenIsTakenOver(store: Store): Promise<void> {
  const writer = new SegmentWriter(join(store.scratchDir, "written.seg"));
  const id = writer.putContent("raw", sampleBytes(5_000_000));
  await store.commit({ written: [writer.finish({ sync: true })] });
  assert.deepEqual(await store.read(id), sampleBytes(5_000_000));
  assert.deepEqual(await store.has([id]), [true]);
}

async function wrongBatchLeavesNothing(store: Store): Promise<void> {
  const id = cidOf("raw", Uint8Array.of(1));
  const wrong = { inline: [{ id, data: Uint8Array.of(2) }], facts: [sampleFact("aa", id)] };
  await assert.rejects(store.commit(wrong), (error) => isMfError(error, "CONTENT_MISMATCH"));
  const file = join(store.scratchDir, "torn.seg");
  const writer = new SegmentWriter(file);
  writer.append("raw", sampleBytes(50_000));
  writer.finish();
  writeFileSync(file, Buffer.alloc(4), { flag: "a" });
  await assert.rejects(store.commit({ scratch: [file], facts: [sampleFact("aa", id)] }), (error) =>
    isMfError(error, "CONTENT_MISMATCH"),
  );
  assert.deepEqual(await store.getFacts(["aa" as MemoKey]), [undefined]);
  assert.deepEqual(await store.has([id]), [false]);
  await store.commit({ facts: [sampleFact("aa", id)] });
}

async function journalsKeepOrder(store: Store): Promise<void> {
  const run = { flow: "f", id: "run1" as RunId };
  const entry = (at: number): JournalEntry => ({ t: "run-finished", at, state: "succeeded" });
  const writer = new SegmentWriter(join(store.scratchDir, "slow.seg"));
  writer.putContent("raw", sampleBytes(3_000_000));
  writer.finish();
  const commits = [
    store.commit({ journal: { run, entries: [entry(0), entry(1)] }, scratch: [writer.path] }),
    store.commit({ journal: { run, entries: [entry(2)] } }),
    store.commit({ journal: { run: { flow: "f", id: "run10" as RunId }, entries: [entry(9)] } }),
    store.commit({ journal: { run, entries: [entry(3)] } }),
  ];
  await Promise.all(commits);
  await store.commit({ journal: { run, entries: [entry(4)] } });
  const seen: number[] = [];
  for await (const item of store.journal(run)) seen.push(item.at);
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
}

async function journalIsReplaced(store: Store): Promise<void> {
  const run = { flow: "f", id: "run1" as RunId };
  const entries = (...at: number[]): JournalEntry[] =>
    at.map((time) => ({ t: "run-finished", at: time, state: "succeeded" }));
  const seen = async (): Promise<number[]> => {
    const times: number[] = [];
    for await (const entry of store.journal(run)) times.push(entry.at);
    return times;
  };
  await store.commit({ journal: { run, entries: entries(0, 1, 2, 3, 4), from: 0 } });
  await store.commit({ journal: { run, entries: entries(20), from: 2 } });
  assert.deepEqual(await seen(), [0, 1, 20], "a shorter tail");
  await store.commit({ journal: { run, entries: entries(3, 4) } });
  assert.deepEqual(await seen(), [0, 1, 20, 3, 4], "and on from there");
  await Promise.all([
    store.commit({ journal: { run, entries: entries(5, 6, 7) } }),
    store.commit({ journal: { run, entries: entries(60, 70, 80), from: 6 } }),
    store.commit({ journal: { run, entries: entries(81), from: 9 } }),
    store.commit({ journal: { run, entries: [], from: 9 } }),
  ]);
  assert.deepEqual(await seen(), [0, 1, 20, 3, 4, 5, 60, 70, 80], "within one group");
  const hole = store.commit({ journal: { run, entries: entries(1), from: 10 } });
  const other = store.commit({ summary: sampleSummary(run, 1) });
  await assert.rejects(hole, (error) => isMfError(error, "JOURNAL_HOLE"));
  await other;
  assert.equal((await seen()).length, 9);
  await store.commit({ journal: { run, entries: entries(9), from: 0 } });
  assert.deepEqual(await seen(), [9]);
}

async function runsNewestFirst(store: Store): Promise<void> {
  const runs = [3, 1, 2].map((n) => {
    return sampleSummary({ flow: n === 2 ? "other" : "f", id: `r${n}` as RunId }, n * 1000);
  });
  for (const summary of runs) await store.commit({ summary });
  const ids = (list: readonly RunSummary[]): string[] => list.map((row) => row.run.id);
  assert.deepEqual(ids(await store.runs()), ["r3", "r2", "r1"]);
  assert.deepEqual(ids(await store.runs("f")), ["r3", "r1"]);
  const first = sampleSummary({ flow: "f", id: "r1" as RunId }, 1000);
  await store.commit({ summary: { ...first, state: "failed" } });
  assert.equal((await store.getRun(first.run))?.state, "failed");
  assert.equal((await store.runs()).length, 3);
  assert.equal(await store.getRun({ flow: "f", id: "no" as RunId }), undefined);
}

async function missingIsMissing(store: Store): Promise<void> {
  const id = cidOf("raw", sampleBytes(100));
  assert.deepEqual(await store.has([id]), [false]);
  assert.deepEqual(await store.locate([id]), [undefined]);
  await assert.rejects(store.read(id), (error) => isMfError(error, "CONTENT_MISSING"));
}
