import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { localReadSide } from "../../../../src/client/control/local-read-side.ts";
import { collect as collectStore } from "../../../../src/client/collection/collect.ts";
import { localRoots } from "../../../../src/client/collection/roots.ts";
import { adoptPart, type AdoptedPart } from "../../../../src/client/pack/adopt.ts";
import { exportRun } from "../../../../src/client/pack/export-run.ts";
import { importPack, type Imported } from "../../../../src/client/pack/import-pack.ts";
import { readPack } from "../../../../src/client/pack/read-pack.ts";
import { WindowedFile } from "../../../../src/client/pack/windowed-file.ts";
import { tarEntries, TarWriter } from "../../../../src/client/pack/tar.ts";
import { Records } from "../../../../src/client/records.ts";
import { verifyRun } from "../../../../src/client/verify/verify-run.ts";
import { writeMarks } from "../../../../src/client/write-marks.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { digestHexOf } from "../../../../src/artifact/cid.ts";
import { resultIdOf } from "../../../../src/artifact/result-id.ts";
import { isMfError, type MfError } from "../../../../src/model/errors.ts";
import { runText, type Cid, type RunRef } from "../../../../src/model/ids.ts";
import { defined } from "../../../../src/std/assert.ts";
import { openStore } from "../../../../src/store/open-store.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { openSigner } from "../../../../src/trust/identity-key.ts";
import { collect, each, engineFixture, out } from "../../../support/engine-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "mf-pack-"));
const pack = join(folder, "run.mfpack");
const stores: Store[] = [];
let run: RunRef;
let source: Store;

async function newStore(name: string): Promise<Store> {
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = await openStore(join(folder, name), deps);
  stores.push(store);
  return store;
}

before(async () => {
  source = await newStore("source");
  const engine = engineFixture(
    {
      list: () => ({ xs: [1, 2, 3] }),
      work: (inputs) => ({ y: (inputs as { x: number }).x * 2 }),
      sum: () => ({ n: 3 }),
    },
    { deps: { store: source, signer: openSigner(join(folder, "source"), systemRandom) } },
  );
  const result = await engine.run({
    steps: [
      { name: "list" },
      { name: "work", inputs: { x: each(out("list", "xs")) }, levels: ["work"] },
      { name: "sum", inputs: { ys: collect(out("work", "y")) } },
    ],
  });
  assert.equal(result.state, "succeeded");
  run = result.run;
  await exported(source, pack);
});
after(async () => {
  for (const store of stores) await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function exported(store: Store, file: string, hasData = true): Promise<void> {
  const summary = defined(await store.getRun(run));
  await exportRun(new Records(localReadSide(store)), summary, { file, hasData, version: "0" });
}

function imported(
  store: Store,
  file = pack,
  before: (part: AdoptedPart) => Promise<unknown> = async () => undefined,
): Promise<Imported> {
  return importPack(file, {
    records: new Records(localReadSide(store)),
    scratchDir: store.scratchDir,
    now: 5,
    user: "ada",
    adopt: async (part) => {
      await before(part);
      await adoptPart(store, part);
    },
    mark: async (changes) => void (await writeMarks(store, changes, { now: 5 })),
  });
}

async function partsOf(file: string): Promise<Map<string, Buffer>> {
  const handle = await open(file, "r");
  const parts = new Map<string, Buffer>();
  const data = readFileSync(file);
  for await (const { name, offset, bytes } of tarEntries(new WindowedFile(handle, data.length)))
    parts.set(name, data.subarray(offset, offset + bytes));
  await handle.close();
  return parts;
}

/** The pack with other records, and a manifest that fits them. */
async function repacked(
  name: string,
  change: (parts: Map<string, Buffer>, manifest: Record<string, unknown>) => void,
): Promise<string> {
  const parts = await partsOf(pack);
  const manifest = JSON.parse(String(parts.get("meshflow-pack.json"))) as Record<string, unknown>;
  change(parts, manifest);
  manifest["entries"] = [...parts]
    .filter(([entry]) => entry !== "meshflow-pack.json")
    .map(([entry, data]) => ({
      name: entry,
      bytes: data.length,
      ...(entry.endsWith(".ndjson") ? { sha256: digestHexOf(data) } : {}),
    }));
  parts.set("meshflow-pack.json", Buffer.from(JSON.stringify(manifest)));
  const file = join(folder, name);
  const handle = await open(file, "wx");
  const tar = new TarWriter(handle);
  for (const [entry, data] of parts) await tar.add(entry, data);
  await tar.end();
  await handle.close();
  return file;
}

const isCode =
  (code: MfError["code"]) =>
  (error: unknown): boolean =>
    isMfError(error, code);

const isMadeAgain = (note: string): boolean =>
  note.startsWith("1 of 5 facts: of a later execution");

async function isEmpty(store: Store): Promise<boolean> {
  for await (const _fact of store.facts()) return false;
  return (await store.runs()).length === 0 && readdirSync(store.scratchDir).length === 0;
}

test("what is imported is what was exported: journal, facts, pages, and the pack again", async () => {
  const store = await newStore("target");
  const first = await imported(store);
  assert.deepEqual([first.isNew, first.tasks, first.absent], [true, 5, 0]);
  const entries = async (from: Store): Promise<unknown[]> => {
    const list: unknown[] = [];
    for await (const entry of from.journal(run)) list.push(entry);
    return list;
  };
  assert.deepEqual(await entries(store), await entries(source));
  const facts = [];
  for await (const fact of source.facts()) if (fact.flow !== "") facts.push(fact);
  assert.deepEqual(await store.getFacts(facts.map(({ memoKey }) => memoKey)), facts);
  const summary = defined(await store.getRun(run));
  assert.deepEqual(summary.imported, { at: 5, hasData: true });
  assert.equal(summary.user, "ada");
  assert.equal(summary.pid, 0);
  await exported(store, join(folder, "again.mfpack"));
  assert.ok(readFileSync(join(folder, "again.mfpack")).equals(readFileSync(pack)));
  const second = await imported(store);
  assert.deepEqual([second.isNew, second.isCompleted], [false, false]);
});

/** Listed, and every task, fact and content is there. */
async function isWhole(store: Store): Promise<void> {
  assert.equal((await store.runs()).length, 1);
  const { counts } = await verifyRun(new Records(localReadSide(store)), run);
  assert.deepEqual([counts.tasks, counts.signed, counts.missing], [5, 5, 0]);
}

async function removed(store: Store): Promise<void> {
  const gone = { kind: "gone", on: runText(run), name: "", value: "", user: "ada" } as const;
  await writeMarks(store, [gone], { now: 9 });
  assert.equal((await store.runs()).length, 0);
}

function collected(store: Store): Promise<unknown> {
  return collectStore(store, () => localRoots(store), { now: 10 });
}

test("a run that was removed here comes back with its pack, collected or not, and stays", async () => {
  const store = await newStore("removed");
  assert.equal((await imported(store)).isRestored, false);
  for (const isCollected of [false, true]) {
    await removed(store);
    if (isCollected) await collected(store);
    const { isNew, isCompleted, isRestored } = await imported(store);
    assert.deepEqual([isNew, isCompleted, isRestored], [false, isCollected, true]);
    await isWhole(store);
    await collected(store);
    await isWhole(store);
  }
});

test("facts that went are completed too, where all contents stayed", async () => {
  const store = await newStore("facts-gone");
  await imported(store);
  const contents = new Set<Cid>();
  for await (const fact of source.facts())
    for (const { id } of Object.values(fact.outputs)) contents.add(id);
  await removed(store);
  for (const on of contents)
    await writeMarks(store, [{ kind: "pin", on: `c:${on}`, name: "", value: "", user: "ada" }], {
      now: 9,
    });
  await collected(store);
  assert.equal((await imported(store)).isCompleted, true);
  await isWhole(store);
});

test("what a collection took between the contents and the run's row is taken from the pack again", async () => {
  const store = await newStore("meanwhile");
  await imported(store, pack, async ({ summary }) => {
    if (summary !== undefined) await collected(store);
  });
  await isWhole(store);
});

test("the same pack twice at once is one run", async () => {
  const store = await newStore("at-once");
  const both = await Promise.all([imported(store), imported(store), imported(store)]);
  assert.equal(both.filter(({ isNew }) => isNew).length, 1);
  await isWhole(store);
});

test("an import that was killed anywhere is completed by the next one", async () => {
  for (let killedAt = 0; ; killedAt++) {
    const store = await newStore(`killed-${killedAt}`);
    let parts = 0;
    const dying = imported(store, pack, async () => {
      if (parts++ === killedAt) throw new Error("killed");
    });
    if ((await dying.catch(() => undefined)) !== undefined) break;
    assert.equal((await store.runs()).length, 0);
    assert.equal((await imported(store)).isNew, true);
    await isWhole(store);
  }
});

test("another run of that id is never replaced", async () => {
  const other = await repacked("other.mfpack", (parts, manifest) => {
    manifest["summary"] = { ...(manifest["summary"] as object), user: "eve" };
    const journal = String(parts.get("journal.ndjson")).replaceAll('"ada"', '"eve"');
    parts.set("journal.ndjson", Buffer.from(journal));
  });
  const store = await newStore("conflict");
  await imported(store);
  await assert.rejects(imported(store, other), isCode("PACK_CONFLICT"));
  await assert.rejects(
    adoptPart(store, { journal: { run, entries: [], from: 0 } }),
    isCode("PACK_CONFLICT"),
  );
  assert.equal((await store.getRun(run))?.user, "ada");
});

test("a fact that is here stays the one that is reused", async () => {
  const store = await newStore("latest");
  const facts = [];
  for await (const fact of source.facts()) if (fact.step === "sum") facts.push(fact);
  const [fact] = facts;
  const here = { ...defined(fact), outputs: {}, by: "here" };
  await store.commit({ facts: [here] });
  await imported(store);
  const [latest] = await store.getFacts([here.memoKey]);
  assert.equal(latest?.by, "here");
  const { memoKey } = here;
  const [came] = await store.getResults([{ memoKey, result: resultIdOf(defined(fact)) }]);
  assert.deepEqual(came, fact);
});

test("a result that was made again is told by verify, for its signature is the later one's", async () => {
  const store = await newStore("made-again");
  await imported(store);
  const verified = () => verifyRun(new Records(localReadSide(store)), run);
  assert.deepEqual((await verified()).notes.filter(isMadeAgain), []);
  for await (const { page, ...fact } of store.facts())
    if (fact.step === "sum" && page !== undefined)
      await store.commit({ facts: [{ ...fact, at: fact.at + 60_000 }] });
  const { counts, notes } = await verified();
  assert.deepEqual([counts.signed, counts.unsigned], [4, 1]);
  assert.equal(notes.filter(isMadeAgain).length, 1);
});

test("records that were altered are refused, whatever the manifest says, and nothing is taken", async () => {
  const changed = (entry: string, from: RegExp, to: string) => {
    return (parts: Map<string, Buffer>): void => {
      const before = String(parts.get(entry));
      const after = before.replace(from, to);
      assert.notEqual(after, before);
      parts.set(entry, Buffer.from(after));
    };
  };
  const first = (parts: Map<string, Buffer>): string =>
    defined([...parts.keys()].find((name) => name.startsWith("contents/")));
  const files = [
    await repacked("by", changed("facts.ndjson", /"by":"local"/, '"by":"eve"')),
    await repacked("at", changed("facts.ndjson", /"at":\d+/, '"at":5')),
    await repacked("drop-fact", changed("facts.ndjson", /^.*\n/, "")),
    await repacked("journal-end", changed("journal.ndjson", /[^\n]*run-finished[^\n]*\n/, "")),
    await repacked("no-json", changed("journal.ndjson", /^\{/, "[")),
    await repacked("other-run", (_parts, manifest) => {
      manifest["run"] = { flow: "test", id: "0123456789" };
    }),
    await repacked("no-run", (_parts, manifest) => {
      manifest["run"] = { flow: "../x", id: "y" };
    }),
    await repacked("other-user", (_parts, manifest) => {
      manifest["summary"] = { ...(manifest["summary"] as object), user: "eve" };
    }),
    await repacked("later", (_parts, manifest) => {
      manifest["v"] = 2;
    }),
    await repacked("bent", (parts) => {
      const name = first(parts);
      const data = Buffer.from(defined(parts.get(name)));
      data[0] = (data[0] ?? 0) ^ 1;
      parts.set(name, data);
    }),
    await repacked("foreign", (parts) => void parts.set("contents/no-id", Buffer.from("x"))),
    await repacked("stray", (parts) => void parts.set("stray", Buffer.from("x"))),
    await repacked("pages", (parts) => {
      for (const [name, data] of parts)
        if (data.toString("latin1", 0, 8) === "mf-page1") parts.delete(name);
    }),
  ];
  const store = await newStore("hostile");
  for (const file of files) {
    await assert.rejects(imported(store, file), isCode("PACK_INVALID"), file);
    assert.ok(await isEmpty(store), file);
  }
});

test("any one bit of the file flipped: refused, or it made no difference", async () => {
  const data = readFileSync(pack);
  const handle = await open(pack, "r");
  const whole = await readPack(new WindowedFile(handle, data.length));
  await handle.close();
  const file = join(folder, "bent.mfpack");
  for (let at = 0; at < data.length; at += 97) {
    const bent = Buffer.from(data);
    bent[at] = (bent[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(file, bent);
    const read = await open(file, "r");
    try {
      const { facts, journal } = await readPack(new WindowedFile(read, bent.length));
      assert.deepEqual([facts, journal], [whole.facts, whole.journal], `byte ${at}`);
    } catch (error) {
      assert.ok(error instanceof RangeError, `byte ${at}: ${String(error)}`);
    } finally {
      await read.close();
    }
  }
});

test("a run that goes on is not exported", async () => {
  const entries = [];
  for await (const entry of source.journal(run)) entries.push(entry);
  const store = await newStore("unfinished");
  await imported(store);
  const summary = { ...defined(await store.getRun(run)), state: "running" as const };
  await store.commit({ summary, journal: { run, entries: entries.slice(0, -1), from: 0 } });
  await assert.rejects(exported(store, join(folder, "x")), isCode("RUN_UNFINISHED"));
  assert.ok(!readdirSync(folder).some((name) => name.endsWith(".part")));
});
