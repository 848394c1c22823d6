import assert from "node:assert/strict";
import { test } from "node:test";
import { JournalCopy } from "../../../../daemon/ownership/journal-copy.ts";
import { entryBytes, wireEntry } from "../../../../src/wire/wire-entry.ts";
import { fencedBy } from "../../../../daemon/ownership/fenced-by.ts";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import { runText, type Cid, type MemoKey, type RunId } from "../../../../src/model/ids.ts";
import type { JournalEntry, RunOwner } from "../../../../src/model/journal.ts";
import { markKey } from "../../../../src/model/mark.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { sampleFact, sampleSummary } from "../../../../src/testing/conformance/store.ts";
import {
  JOURNAL_PULL,
  RUN_APPEND,
  type JournalPage,
} from "../../../../src/wire/ownership-protocol.ts";
import { FakeStore } from "../../../support/fake-store.ts";
import { OwnershipMesh } from "../../../support/ownership-mesh.ts";

const idOf = (text: string): Cid => cidOf("raw", Buffer.from(text));
const keyOf = (i: number): MemoKey => i.toString(16).padStart(64, "0") as MemoKey;
const run = { flow: "f", id: "r" as RunId };
const peer = (name: string): PeerId => name as PeerId;
const ownerOf = (name: string, ballot: number): RunOwner => ({ peer: peer(name), name, ballot });
const started: JournalEntry = {
  t: "run-started",
  at: 1,
  user: "u",
  file: "f.ts",
  bundleId: "b",
  packageId: idOf("package"),
  params: {},
  paramTexts: {},
  versions: {},
  seed: "0",
  codes: {},
  options: {},
};
const changed = (owner: RunOwner): JournalEntry => ({
  t: "owner-changed",
  at: 2,
  owner,
  keepers: [peer("k")],
});
const done = (i: number): JournalEntry => ({
  t: "tasks-succeeded",
  at: i,
  tasks: [{ step: "s", index: [i], memoKey: keyOf(i), attempt: 0, by: "x", wallMs: 1 }],
});

/** A keeper, and two peers that speak the protocol by hand. */
async function keeperMesh(): Promise<{
  mesh: OwnershipMesh;
  append: (from: string, page: JournalPage) => Promise<{ length: number }>;
  ats: () => (number | string)[];
}> {
  const mesh = new OwnershipMesh({ peers: ["k"], guests: ["x", "y"], steps: {} });
  await mesh.start("k");
  const transports = new Map(
    await Promise.all(
      ["x", "y"].map(async (name) => {
        const transport = mesh.network.transport(peer(name));
        await transport.start();
        transport.keep(peer("k"), []);
        return [name, transport] as const;
      }),
    ),
  );
  await mesh.wait(500);
  return {
    mesh,
    append: (from, page) => {
      const transport = transports.get(from);
      assert.ok(transport !== undefined);
      const sent = transport.request(peer("k"), RUN_APPEND, page, { timeoutMs: 1000 });
      return mesh.does(sent);
    },
    ats: () =>
      mesh.journal("k", run).map((entry) => (entry.t === "tasks-succeeded" ? entry.at : entry.t)),
  };
}

/** What an owner with this journal sends from a position on. */
function pageOf(by: RunOwner, journal: readonly JournalEntry[], from: number): JournalPage {
  const spans = journal.flatMap((entry, at) =>
    entry.t === "owner-changed"
      ? [{ ballot: entry.owner.ballot, peer: entry.owner.peer, from: at }]
      : [],
  );
  return {
    run,
    by,
    view: { length: journal.length, spans, hasEnded: false },
    from,
    entries: journal.slice(from),
    facts: [],
    inline: [],
    summary: sampleSummary(run, 1),
  };
}

test("a keeper takes what follows, asks for what is missing, and takes nothing twice", async () => {
  const { append, ats, mesh } = await keeperMesh();
  const x = ownerOf("x", 1);
  const journal = [started, changed(x), done(1), done(2), done(3)];
  assert.deepEqual(await append("x", pageOf(x, journal, 3)), { length: 0 });
  assert.deepEqual(await append("x", pageOf(x, journal.slice(0, 3), 0)), { length: 3 });
  assert.deepEqual(await append("x", pageOf(x, journal, 4)), { length: 3 });
  assert.deepEqual(await append("x", pageOf(x, journal, 1)), { length: 5 });
  assert.deepEqual(await append("x", pageOf(x, journal.slice(0, 4), 2)), { length: 4 });
  assert.deepEqual(ats(), ["run-started", "owner-changed", 1, 2, 3]);
  assert.equal(mesh.disks.get("k")?.runs.get(runText(run))?.owner?.peer, "x");
});

test("a later owner's entries replace the earlier one's tail, and the earlier one is fenced", async () => {
  const { append, ats } = await keeperMesh();
  const [x, y] = [ownerOf("x", 1), ownerOf("y", 2)];
  const old = [started, changed(x), done(1), done(2), done(3)];
  await append("x", pageOf(x, old, 0));
  const taken = [started, changed(x), done(1), changed(y), done(9)];
  assert.deepEqual(await append("y", pageOf(y, taken, 4)), { length: 3 });
  assert.deepEqual(await append("y", pageOf(y, taken, 3)), { length: 5 });
  assert.deepEqual(ats(), ["run-started", "owner-changed", 1, "owner-changed", 9]);
  await assert.rejects(append("x", pageOf(x, [...old, done(4)], 5)), (error) => {
    assert.ok(isMfError(error, "PEER_FENCED"));
    assert.deepEqual(fencedBy(error), y);
    return true;
  });
});

test("a page in the name of somebody else is refused", async () => {
  const { append, ats } = await keeperMesh();
  const x = ownerOf("x", 1);
  await assert.rejects(append("y", pageOf(x, [started, changed(x)], 0)), (error) =>
    isMfError(error, "PEER_MISBEHAVED"),
  );
  assert.deepEqual(ats(), []);
});

test("a refusal whose details are no owner is no owner", () => {
  assert.equal(fencedBy(new MfError("PEER_FENCED", { ballot: "7", peer: 1 })), undefined);
  assert.equal(
    fencedBy(new MfError("PEER_FENCED", { ballot: 0.5, peer: "p", name: "" })),
    undefined,
  );
});

test("a lagging copy is served from the store, page by page, with the facts its entries name", async () => {
  const store = new FakeStore();
  const copy = new JournalCopy(run, store);
  const x = ownerOf("x", 1);
  await copy.write(() => ({ entries: [started, changed(x)] }));
  for (let i = 0; i < 600; i++) {
    const facts = [{ ...sampleFact(keyOf(i), idOf("out")), env: "e".repeat(100) }];
    const inline = [{ id: idOf(`c${i}`), data: new Uint8Array(16_000) }];
    await copy.write(() => ({ entries: [done(i)], facts, inline }));
  }
  const loaded = await JournalCopy.load(run, store);
  assert.deepEqual(loaded.state, copy.state);
  let from = 0;
  let pages = 0;
  const facts = new Set<string>();
  while (from < copy.view.length) {
    const page = await copy.page(from);
    assert.ok(page.entries.length > 0 && page.entries.length <= 256);
    const bytes = page.inline.reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(bytes <= 1024 * 1024);
    for (const fact of page.facts) facts.add(fact.memoKey);
    from += page.entries.length;
    pages++;
  }
  assert.equal(facts.size, 600);
  assert.ok(pages >= 3 && pages < 10, `${pages} pages`);
});

test("who pulls gets what is beyond the last thing both have", async () => {
  const { append, mesh } = await keeperMesh();
  const x = ownerOf("x", 1);
  const journal = [started, changed(x), done(1), done(2)];
  await append("x", pageOf(x, journal, 0));
  const asker = mesh.network.transport(peer("z"));
  await asker.start();
  asker.keep(peer("k"), []);
  await mesh.wait(100);
  const theirs = { length: 3, spans: [{ ballot: 1, peer: peer("x"), from: 1 }], hasEnded: false };
  const pulled = asker.request(peer("k"), JOURNAL_PULL, { run, view: theirs }, { timeoutMs: 1000 });
  const { page } = await mesh.does(pulled);
  assert.equal(page?.from, 3);
  assert.deepEqual(page?.entries, [done(2)]);
  const unknown = { run: { flow: "f", id: "no" as RunId }, view: theirs };
  const nothing = asker.request(peer("k"), JOURNAL_PULL, unknown, { timeoutMs: 1000 });
  assert.deepEqual(await mesh.does(nothing), {});
});

test("what a step threw travels cut to size, whatever its size", () => {
  const error = {
    code: "STEP_THREW" as const,
    details: { message: "m".repeat(5_000_000) },
    stack: "s".repeat(200_000),
  };
  const entry: JournalEntry = {
    t: "attempt-failed",
    at: 1,
    step: "s",
    index: [],
    attempt: 0,
    outcome: "failed",
    final: true,
    error,
    by: "x",
  };
  assert.ok(entryBytes(wireEntry(entry)) < 64 * 1024);
  const page = pageOf(ownerOf("x", 1), [started, changed(ownerOf("x", 1)), wireEntry(entry)], 0);
  assert.ok(RUN_APPEND.query.decode(RUN_APPEND.query.encode(page)).entries.length === 3);
  const long = { ...started, paramTexts: { x: "x".repeat(1_000_000) } };
  assert.ok(entryBytes(wireEntry(long)) < 8192);
});

test("pages of a run that was removed are passed over, and nobody goes on sending them", async () => {
  const { append, ats, mesh } = await keeperMesh();
  const x = ownerOf("x", 1);
  const gone = { kind: "gone", on: runText(run), name: "", value: "", at: 1, by: "ada" } as const;
  const disk = mesh.disks.get("k");
  assert.ok(disk !== undefined);
  disk.marks = new Map([[markKey(gone), gone]]);
  const journal = [started, changed(x), done(1)];
  assert.deepEqual(await append("x", pageOf(x, journal, 0)), { length: 3 });
  assert.deepEqual(ats(), []);
  assert.equal(disk.runs.size, 0);
  disk.marks = new Map();
  assert.deepEqual(await append("x", pageOf(x, journal, 0)), { length: 3 });
  assert.deepEqual(ats(), ["run-started", "owner-changed", 1], "a removal that was taken back");
});
