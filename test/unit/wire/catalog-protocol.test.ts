import assert from "node:assert/strict";
import { test } from "node:test";
import { isMfError } from "../../../src/model/errors.ts";
import {
  askCancel,
  askLogs,
  askProgress,
  askResolve,
  askRuns,
  askStatus,
  askVersions,
  isWholeCid,
  PAGE_ROWS_MAX,
  VERSION_RUNS_MAX,
} from "../../../src/wire/catalog-protocol.ts";
import type { MessageCodec } from "../../../src/wire/message.ts";
import { PROGRESS, RESULT, RUN_REF, SUMMARY } from "../../support/fake-daemon.ts";

function through<M>(codec: MessageCodec<M>, message: M): M {
  return codec.decode(codec.encode(message));
}

test("a run's nouns cross the wire as they are", () => {
  const owner = { peer: "12D3KooWada" as never, name: "ada", ballot: 3 };
  const rows = [{ ...SUMMARY, owner, finishedAt: 5.5 }, SUMMARY];
  assert.deepEqual(through(askRuns.answer, { rows, next: 2 }), { rows, next: 2 });
  const answer = {
    isOwner: true,
    feed: "f",
    progress: PROGRESS,
    peers: { ada: 2 },
    events: [
      { seq: 1, event: { t: "step-started" as const, step: "load" } },
      { seq: 2, event: { t: "run-finished" as const, result: RESULT } },
    ],
    result: RESULT,
  };
  assert.deepEqual(through(askProgress.answer, answer), answer);
});

test("an error of a newer peer is an internal one here, its details kept", () => {
  const status = {
    run: "demo/x",
    flow: "demo",
    state: "failed" as const,
    owner: "ada",
    sealed: false,
    steps: [],
    attempts: { total: 0, lost: 0, failed: 0 },
    error: { code: "FROM_THE_FUTURE" as never, details: { deep: { list: [1] } } },
  };
  const { status: got } = through(askStatus.answer, { status });
  assert.deepEqual(got?.error, {
    code: "INTERNAL",
    details: { deep: { list: [1] }, message: "FROM_THE_FUTURE" },
  });
});

test("unknown fields are dropped", () => {
  const query = { run: RUN_REF, more: 1 };
  assert.deepEqual(through(askCancel.query, query), { run: RUN_REF });
});

const runs = Array.from({ length: VERSION_RUNS_MAX }, () => RUN_REF);
const part = {
  what: "artifact" as const,
  artifact: "demo/load/m",
  id: "bafk",
  run: "demo/x",
  runAt: 1,
  user: "ada",
  at: 2,
  by: "ada",
  lastRun: "demo/x",
  seenAt: 2,
  seen: 1,
  bytes: 3,
  kind: "number",
  code: "",
};

test("what runs say of versions crosses the wire as it is", () => {
  const query = { runs, what: ["artifact" as const], since: 1.5, params: { n: "1" } };
  assert.deepEqual(through(askVersions.query, query), query);
  const answer = { parts: [part], lacking: [], next: { run: 3, task: 7 } };
  assert.deepEqual(through(askVersions.answer, answer), answer);
});

const task = { index: [0], memoKey: "a".repeat(64), by: "ada" };
for (const [what, codec, wrong] of [
  ["versions of no run", askVersions.query, { runs: [], what: [] }],
  ["versions of too many runs", askVersions.query, { runs: [...runs, RUN_REF], what: [] }],
  ["a version of no kind", askVersions.answer, { parts: [{ ...part, what: "x" }], lacking: [] }],
  ["a version seen half", askVersions.answer, { parts: [{ ...part, seen: 0.5 }], lacking: [] }],
  ["a flow that is a path", askRuns.query, { flow: "", limit: 1 }],
  ["a page of nothing", askRuns.query, { limit: 0 }],
  ["a page without end", askRuns.query, { limit: PAGE_ROWS_MAX + 1 }],
  ["a run outside its directory", askLogs.query, { run: { flow: "..", id: "x" }, bytesMax: 1 }],
  ["a run id with a slash", askLogs.query, { run: { flow: "a", id: "../x" }, bytesMax: 1 }],
  ["an offset before the file", askLogs.query, { run: RUN_REF, from: -1, bytesMax: 1 }],
  ["a state that is none", askRuns.answer, { rows: [{ ...SUMMARY, state: "lost" }] }],
  ["a count that is none", askRuns.answer, { rows: [{ ...SUMMARY, pid: 1.5 }] }],
  ["a key that is none", askResolve.answer, { tasks: [{ ...task, memoKey: "../x" }] }],
  ["a fact without its outputs", askResolve.answer, { tasks: [{ ...task, fact: { v: 1 } }] }],
  ["an event of no kind", askProgress.answer, { isOwner: true, events: [{ seq: 1, event: {} }] }],
  [
    "a share over one",
    askProgress.answer,
    {
      isOwner: true,
      events: [],
      progress: { ...PROGRESS, steps: [{ ...PROGRESS.steps[0], fraction: 2 }] },
    },
  ],
  ["a wait for ever", askProgress.query, { run: RUN_REF, after: 0, waitMs: 1e9 }],
] as const) {
  test(`${what} is refused`, () => {
    const codecs = codec as MessageCodec<unknown>;
    const data = codecs.encode(wrong);
    assert.throws(
      () => codecs.decode(data),
      (error) => isMfError(error, "MESSAGE_MALFORMED"),
    );
  });
}

test("a whole id is told from the beginning of one", () => {
  assert.equal(isWholeCid(`b${"a".repeat(58)}`), true);
  assert.equal(isWholeCid("bafk"), false);
  assert.equal(isWholeCid(`c${"a".repeat(58)}`), false);
});
