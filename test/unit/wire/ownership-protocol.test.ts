import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import type { MemoKey, RunId } from "../../../src/model/ids.ts";
import type { JournalEntry } from "../../../src/model/journal.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { PeerId } from "../../../src/model/peer.ts";
import { sampleFact, sampleSummary } from "../../../src/testing/conformance/store.ts";
import { RUN_APPEND, RUN_OWNER, type JournalPage } from "../../../src/wire/ownership-protocol.ts";

const run = { flow: "f", id: "r" as RunId };
const by = { peer: "p" as PeerId, name: "ada", ballot: 3 };
const cid = cidOf("raw", Buffer.from("x"));
const keyOf = (letter: string): MemoKey => letter.repeat(64) as MemoKey;
const error = { code: "STEP_THREW" as const, details: { message: "no" }, stack: "at x" };
const ENTRIES: readonly JournalEntry[] = [
  {
    t: "run-started",
    at: 1.5,
    user: "u",
    file: "/f.ts",
    bundleId: "b",
    packageId: cid,
    params: { x: cid },
    paramTexts: { x: "1" },
    versions: { "f/r/s/a": cid },
    seed: "0",
    codes: {},
    options: { maxTasks: 5, noCache: true, labels: ["gpu"] },
  },
  { t: "owner-changed", at: 2, owner: by, keepers: [by.peer] },
  {
    t: "tasks-succeeded",
    at: 3,
    tasks: [
      { step: "s", index: [1, 2], memoKey: keyOf("a"), attempt: 0, by: "ada", wallMs: 1.5 },
      { step: "s", index: [], memoKey: keyOf("b"), by: "ada", wallMs: 0 },
    ],
  },
  {
    t: "attempt-failed",
    at: 4,
    step: "s",
    index: [],
    attempt: 1,
    outcome: "lost",
    final: false,
    error,
    by: "ada",
  },
  { t: "run-finished", at: 5, state: "failed", error },
];

function pageOf(change: Partial<JournalPage> = {}): JournalPage {
  return {
    run,
    by,
    view: { length: 5, spans: [{ ballot: 3, peer: by.peer, from: 1 }], hasEnded: true },
    from: 0,
    entries: [...ENTRIES],
    facts: [sampleFact(keyOf("c"), cid)],
    inline: [{ id: cid, data: Uint8Array.of(1, 2, 3) }],
    summary: { ...sampleSummary(run, 1000), owner: by },
    ...change,
  };
}

test("a page of every kind of entry comes back as it was", () => {
  const page = pageOf();
  const back = RUN_APPEND.query.decode(RUN_APPEND.query.encode(page));
  assert.deepEqual({ ...back, inline: [] }, { ...page, inline: [] });
  assert.deepEqual([...(back.inline[0]?.data ?? [])], [1, 2, 3]);
});

test("an error code of a newer version arrives as something unexpected", () => {
  const [entry] = [...ENTRIES].reverse();
  const strange = { ...entry, error: { code: "FROM_THE_FUTURE", details: {} } } as never;
  const back = RUN_APPEND.query.decode(RUN_APPEND.query.encode(pageOf({ entries: [strange] })));
  const [end] = back.entries;
  assert.equal(end?.t === "run-finished" && end.error?.code, "INTERNAL");
});

const WRONG: readonly [string, unknown][] = [
  ["a negative position", { ...pageOf(), from: -1 }],
  ["a fraction of a ballot", { ...pageOf(), by: { ...by, ballot: 1.5 } }],
  ["an unknown entry", { ...pageOf(), entries: [{ t: "run-burnt", at: 1 }] }],
  [
    "a fact without outputs",
    { ...pageOf(), facts: [{ ...sampleFact(keyOf("c"), cid), outputs: 1 }] },
  ],
  ["a name that is too long", { ...pageOf(), run: { flow: "f".repeat(1000), id: "r" } }],
  ["more entries than a page has", { ...pageOf(), entries: Array(600).fill(ENTRIES[4]) }],
  ["no run", { ...pageOf(), run: undefined }],
  ["not a page", 7],
];

for (const [what, value] of WRONG)
  test(`refused: ${what}`, () => {
    const data = RUN_APPEND.query.encode(value as JournalPage);
    assert.throws(
      () => RUN_APPEND.query.decode(data),
      (thrown) => isMfError(thrown, "MESSAGE_MALFORMED"),
    );
  });

test("a notice is small", () => {
  const data = RUN_OWNER.message.encode({ run, by, keepers: [by.peer] });
  assert.ok(data.length < 200);
});
