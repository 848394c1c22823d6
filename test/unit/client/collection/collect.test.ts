import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { encodeElementTable } from "../../../../src/artifact/element-table.ts";
import { brandedFile } from "../../../../src/artifact/file-brand.ts";
import { collect, GONE_JOURNAL_DAYS } from "../../../../src/client/collection/collect.ts";
import { filesIn, mayHoldFiles } from "../../../../src/client/collection/file-references.ts";
import { localRoots, type Roots } from "../../../../src/client/collection/roots.ts";
import { elementsFact, elementsKey } from "../../../../src/engine/run/element-memo.ts";
import { logDirectoryOf } from "../../../../src/engine/run/log-file.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import { openMemoryStore } from "../../../../src/store/memory/memory-store.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { sampleBytes } from "../../../../src/testing/conformance/store-samples.ts";
import {
  memoKey,
  putValue,
  removeRun,
  storeFact,
  storeRun,
  valueId,
} from "../../../support/stored-runs.ts";

async function withStore(body: (store: Store) => Promise<void>): Promise<void> {
  const store = openMemoryStore();
  try {
    await body(store);
  } finally {
    await store.close();
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;

async function sweep(store: Store, more: Partial<Roots> = {}) {
  return collect(store, async () => ({ ...(await localRoots(store)), ...more }), { now: 3000 });
}

test("what only a removed run has goes, what another run has too stays", () =>
  withStore(async (store) => {
    const kept = await storeRun(store, "aaaaaaaaaa", {
      tasks: [
        { key: "shared", output: "both" },
        { key: "kept", output: "kept" },
      ],
      params: { n: 1 },
    });
    const gone = await storeRun(store, "bbbbbbbbbb", {
      tasks: [
        { key: "shared", output: "both" },
        { key: "gone", output: "gone" },
      ],
      params: { n: 2 },
    });
    await removeRun(store, gone.text);
    const logs = logDirectoryOf(store.home, gone.run);
    mkdirSync(logs, { recursive: true });
    writeFileSync(join(logs, "fit.ndjson"), "");
    const counted = await collect(store, () => localRoots(store), { now: 3000, isDryRun: true });
    assert.ok(existsSync(logs));
    const report = await sweep(store);
    assert.deepEqual(
      [report.facts, report.contents, report.isComplete],
      [counted.facts, counted.contents, true],
    );
    assert.equal(report.facts, 1);
    assert.deepEqual(await store.has([valueId("both"), valueId("kept"), valueId("gone")]), [
      true,
      true,
      false,
    ]);
    assert.deepEqual(await store.has([kept.packageId, gone.packageId, valueId(1), valueId(2)]), [
      true,
      false,
      true,
      false,
    ]);
    assert.ok(!existsSync(logs));
    assert.notEqual(
      await store.getRun(gone.run),
      undefined,
      "its journal stays for those who were away",
    );
    const later = 2000 + (GONE_JOURNAL_DAYS + 1) * DAY_MS;
    await collect(store, () => localRoots(store), { now: later });
    assert.equal(await store.getRun(gone.run), undefined);
    assert.equal((await store.runs()).length, 1);
  }));

test("what another run took from a removed one stays: inputs and versions", () =>
  withStore(async (store) => {
    const gone = await storeRun(store, "bbbbbbbbbb", {
      tasks: [
        { key: "model", output: "model" },
        { key: "list", output: "list" },
      ],
    });
    await storeRun(store, "aaaaaaaaaa", {
      tasks: [{ key: "use", output: "use", inputs: { l: `${valueId("list")}/0` } }],
      versions: { "sweep/bbbbbbbbbb/fit/x": valueId("model") },
    });
    await removeRun(store, gone.text);
    const report = await sweep(store);
    assert.equal(report.facts, 2, "the facts go: a run that is begun again makes them");
    assert.deepEqual(await store.has([valueId("model"), valueId("list")]), [true, true]);
  }));

test("files inside values stay with them, also in parameters and in long values", () =>
  withStore(async (store) => {
    const put = async (text: string): Promise<Cid> =>
      (await store.putBytes(Buffer.from(text), "raw")).id;
    const [a, b, c, d] = [await put("a"), await put("b"), await put("c"), await put("d")];
    const file = (id: string, name: string): unknown => brandedFile({ id, name, size: 1 });
    const long = [new Float64Array(1_200_000), { deep: [file(b, "b.csv")] }, new Uint8Array(9)];
    await storeRun(store, "aaaaaaaaaa", {
      tasks: [
        { key: "one", output: file(a, "a.csv") },
        { key: "two", output: long },
      ],
      params: { csv: file(c, "c.csv") },
    });
    await sweep(store);
    assert.deepEqual(await store.has([a, b, c, d]), [true, true, true, false]);
  }));

test("a reference is found wherever pieces are cut, and nothing else is taken for one", async () => {
  const file = brandedFile({ id: valueId("x"), name: "x", size: 3 });
  const data = Buffer.from(
    (await import("../../../../src/artifact/codec.ts")).encodeValue([1, file]).data,
  );
  for (let cut = 0; cut <= data.length; cut++) {
    const stream = async function* (): AsyncIterable<Uint8Array> {
      yield data.subarray(0, cut);
      yield data.subarray(cut);
    };
    assert.deepEqual(await filesIn({ stream }, "any" as Cid), [valueId("x")], `cut at ${cut}`);
  }
  const noise = async function* (): AsyncIterable<Uint8Array> {
    yield Buffer.concat([Buffer.from([9, 0x93, 0xd9, 200]), sampleBytes(300)]);
    yield Buffer.concat([Buffer.from([9, 0x93, 0xd9, 20]), Buffer.from("bafk no content id a")]);
    yield Buffer.from([9, 0x93, 0xd9]);
  };
  assert.deepEqual(await filesIn({ stream: noise }, "any" as Cid), []);
  for (const kind of [
    "number",
    "string[4]",
    "bytes[9]",
    "Float64Array[3x4]",
    "date",
    "BigInt64Array[2]",
  ])
    assert.equal(mayHoldFiles(kind), false, kind);
  for (const kind of [
    "file a.csv",
    "array[2]",
    "object{1}",
    "Map[1]",
    "elements[3]",
    "DataFrame",
    "numbers",
  ])
    assert.equal(mayHoldFiles(kind), true, kind);
});

test("a list that was cut stays with the list: its table, and elements too large for it", () =>
  withStore(async (store) => {
    const lists = ["kept", "gone"].map((name) => [name.repeat(9000), name]);
    for (const [at, list] of lists.entries()) {
      const { data, large } = encodeElementTable(list);
      const { id, bytes } = await store.putBytes(data, "messagepack");
      for (const element of large) await store.putBytes(element.data, "messagepack");
      const table = { id, bytes, kind: "elements[2]" };
      await store.commit({ facts: [elementsFact(valueId(list), table, { by: "local", at: 1 })] });
      const run = at === 0 ? "aaaaaaaaaa" : "bbbbbbbbbb";
      await storeRun(store, run, { tasks: [{ key: run, output: list }] });
    }
    await removeRun(store, "sweep/bbbbbbbbbb");
    await sweep(store);
    const [kept, gone] = lists.map(([large]) => valueId(large)) as [Cid, Cid];
    assert.deepEqual(await store.has([kept, gone]), [true, false]);
    const facts = await store.getFacts(lists.map((list) => elementsKey(valueId(list))));
    assert.deepEqual(
      facts.map((fact) => fact !== undefined),
      [true, false],
    );
  }));

test("pins keep contents; orphans go; a run that goes on keeps what was made since it began", () =>
  withStore(async (store) => {
    const pinned = await putValue(store, "pinned");
    const orphan = await putValue(store, "orphan");
    const pin = { kind: "pin", on: `c:${pinned}`, name: "", value: "", at: 1, by: "ada" } as const;
    await store.commit({ marks: [pin] });
    await storeRun(store, "aaaaaaaaaa", { tasks: [], state: "running", createdAt: 1e9 });
    await storeFact(store, { key: "old", output: "old", at: 1000 });
    await storeFact(store, { key: "fresh", output: "fresh", at: 1e9 + 5 });
    await sweep(store);
    assert.deepEqual(await store.has([pinned, orphan, valueId("old"), valueId("fresh")]), [
      true,
      false,
      false,
      true,
    ]);
    const facts = await store.getFacts([memoKey("old"), memoKey("fresh")]);
    assert.deepEqual(
      facts.map((fact) => fact !== undefined),
      [false, true],
    );
  }));

test("where somebody was not heard, only what removed runs name goes", () =>
  withStore(async (store) => {
    const orphan = await putValue(store, "orphan");
    await storeFact(store, { key: "of-nobody", output: "of nobody" });
    const gone = await storeRun(store, "bbbbbbbbbb", { tasks: [{ key: "gone", output: "gone" }] });
    await removeRun(store, gone.text);
    const report = await sweep(store, { isComplete: () => false });
    assert.deepEqual([report.isComplete, report.facts], [false, 1]);
    assert.deepEqual(await store.has([orphan, valueId("of nobody"), valueId("gone")]), [
      true,
      true,
      false,
    ]);
  }));

test("contents of facts that are elsewhere stay, and go with a removed run", () =>
  withStore(async (store) => {
    const other = openMemoryStore();
    const kept = await storeRun(other, "aaaaaaaaaa", {
      tasks: [{ key: "kept", output: ["kept"] }],
    });
    const gone = await storeRun(other, "bbbbbbbbbb", {
      tasks: [{ key: "gone", output: ["gone"] }],
    });
    const file = (await store.putBytes(Buffer.from("file"), "raw")).id;
    for (const value of [["kept"], ["gone"]]) await putValue(store, value);
    const journal: Roots["journal"] = async (run) => {
      const entries = [];
      for await (const entry of other.journal(run)) entries.push(entry);
      return entries;
    };
    const ended = { hasEnded: true, createdAt: 1 };
    await sweep(store, {
      kept: [{ run: kept.run, ...ended }],
      removed: [{ run: gone.run, at: 1 }],
      journal,
      factsElsewhere: async (refs) =>
        (await other.getResults(refs)).filter((fact) => fact !== undefined),
      filesElsewhere: async (ids) => new Map(ids.map((id) => [id, [file]])),
      isComplete: () => false,
    });
    assert.deepEqual(await store.has([valueId(["kept"]), valueId(["gone"]), file]), [
      true,
      false,
      true,
    ]);
    await other.close();
  }));
