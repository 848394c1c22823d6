import assert from "node:assert/strict";
import { test } from "node:test";
import { resolvePathspec } from "../../../src/client/resolve-pathspec.ts";
import { closeInterruptedRuns, listRuns, resolveRun, runStatus } from "../../../src/client/runs.ts";
import { listVersions } from "../../../src/client/versions/list-versions.ts";
import { writeMarks } from "../../../src/client/write-marks.ts";
import { resolveVersion } from "../../../src/engine/lookup/version.ts";
import { runText, type RunRef } from "../../../src/model/ids.ts";
import type { RunSummary } from "../../../src/model/journal.ts";
import type { ErrorCode } from "../../../src/model/error-table.ts";
import { isMfError } from "../../../src/model/errors.ts";
import {
  collect,
  each,
  engineFixture,
  out,
  type EngineFixture,
  type FlowFixture,
} from "../../support/engine-fixture.ts";
import type { PeerId } from "../../../src/model/peer.ts";
import { FakeStore } from "../../support/fake-store.ts";

const flow: FlowFixture = {
  steps: [
    { name: "load" },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "v")) } },
  ],
};

const fixture = (): EngineFixture =>
  engineFixture({
    load: () => ({ list: [5, 6] }),
    fit: ({ i }) => ({ v: (i as number) + 1 }),
    best: ({ all }) => ({ all }),
  });

test("status is a fold of the journal, step by step in the flow's order", async () => {
  const engine = fixture();
  await engine.run(flow);
  const { run } = await engine.run(flow);
  const status = await runStatus(engine.store, run);
  assert.deepEqual(
    { ...status, run: "" },
    {
      run: "",
      flow: "test",
      state: "succeeded",
      owner: "local",
      sealed: true,
      steps: ["load", "fit", "best"].map((name) => {
        const total = name === "fit" ? 2 : 1;
        return {
          name,
          state: "succeeded",
          tasks: { total, succeeded: total, failed: 0, reused: total, running: 0 },
          peers: { local: total },
        };
      }),
      attempts: { total: 0, lost: 0, failed: 0 },
    },
  );
});

test("versions list each artifact once, newest first, and narrow by step and name", async () => {
  const engine = fixture();
  const { run } = await engine.run(flow);
  await engine.run(flow);
  const { rows: all } = await listVersions(engine.store, { prefix: "test" });
  assert.deepEqual(all.map((version) => version.artifact).sort(), [
    "test/best/all",
    "test/fit[0]/v",
    "test/fit[1]/v",
    "test/load/list",
  ]);
  assert.ok(all.every((version) => version.run === `test/${run.id}`));
  assert.equal((await listVersions(engine.store, { prefix: "test/fit/v" })).rows.length, 2);
  assert.equal((await listVersions(engine.store, { prefix: "other" })).rows.length, 0);
});

test("pathspecs name runs, tasks, artifacts and content", async () => {
  const engine = fixture();
  const { run } = await engine.run(flow);
  const one = await resolvePathspec(engine.store, "test/latest/fit[1]/v");
  assert.equal(
    one.k === "artifacts" && one.isOne && one.artifacts[0]?.pathspec,
    `test/${run.id}/fit[1]/v`,
  );
  const all = await resolvePathspec(engine.store, `test/${run.id.slice(0, 6)}/fit/v`);
  assert.equal(all.k === "artifacts" && !all.isOne && all.artifacts.length, 2);
  const id = one.k === "artifacts" ? (one.artifacts[0]?.ref.id ?? "") : "";
  assert.deepEqual((await resolvePathspec(engine.store, `c:${id}`)).k, "content");
  assert.deepEqual((await resolvePathspec(engine.store, "test/latest")).k, "run");
});

test("a run is named by tag and by time: the newest that fits and succeeded", async () => {
  const engine = fixture();
  const { run: first } = await engine.run(flow);
  const { run: second } = await engine.run(flow);
  const { store } = engine;
  const at = async (run: RunRef, createdAt: number, more: Partial<RunSummary> = {}) => {
    const summary = await store.getRun(run);
    assert.ok(summary !== undefined);
    await store.commit({ summary: { ...summary, createdAt, ...more } });
  };
  const day = Date.UTC(2026, 10, 20);
  await at(first, day);
  await at(second, day + 3_600_000, { state: "failed" });
  const on = (name: string, run: RunRef, value?: string) =>
    writeMarks(
      store,
      [
        {
          kind: "tag",
          on: runText(run),
          name,
          user: "ada",
          ...(value === undefined ? {} : { value }),
        },
      ],
      { now: 1 },
    );
  await on("both", first, "");
  await on("both", second, "");
  await on("late", second, "");
  const named = async (text: string): Promise<string> =>
    (await resolveRun(store, `test/${text}`)).run.id;
  assert.equal(await named("@both"), first.id);
  assert.equal(await named("@late"), second.id);
  assert.equal(await named("@state:failed"), second.id);
  await on("late", second);
  await assert.rejects(named("@late"), (error) => isMfError(error, "TAG_NOT_FOUND"));
  assert.equal(await named("2026-11-20Z"), first.id);
  assert.equal(await named("2026-11-20T00:00Z"), first.id);
  assert.equal(await named("2026-11-21"), first.id);
  await assert.rejects(named("2026-11-19Z"), (error) => isMfError(error, "RUN_NOT_FOUND"));
  await at(first, day + 7_200_000);
  assert.equal(await named("2026-11-20T01:30Z"), second.id);
  const loaded = await resolveVersion(store, "test/@both/load.list");
  assert.equal(loaded.k, "artifact");
  const one = await resolvePathspec(store, "test/@both/fit[1]/v");
  assert.equal(one.k === "artifacts" && one.run.run.id, first.id);
});

test("a run that only verifies another is not the latest", async () => {
  const engine = fixture();
  const { run: first } = await engine.run(flow);
  const origin = { run: runText(first), how: "verify" } as const;
  const { run: second } = await engine.run(flow, { origin });
  const named = async (text: string): Promise<string> =>
    (await resolveRun(engine.store, `test/${text}`)).run.id;
  assert.equal(await named("latest"), first.id);
  assert.equal(await named(second.id), second.id);
});

for (const [text, code] of [
  ["test/@nope/fit", "TAG_NOT_FOUND"],
  ["test/@a b/fit", "PATHSPEC_INVALID"],
  ["test/2026-02-30", "PATHSPEC_INVALID"],
  ["test/zzzzzz/fit", "RUN_NOT_FOUND"],
  ["test/latest/fit[9]/v", "PATHSPEC_NOT_FOUND"],
  ["test/latest/fit[0]/w", "PATHSPEC_NOT_FOUND"],
  ["test/latest/nothing", "PATHSPEC_NOT_FOUND"],
  ["test/latest/fit[x]/v", "PATHSPEC_INVALID"],
  ["c:bafkqzzz", "PATHSPEC_NOT_FOUND"],
  ["c:baf", "PATHSPEC_INVALID"],
] as const satisfies readonly (readonly [string, ErrorCode])[]) {
  test(`${text} is refused as ${code}`, async () => {
    const engine = fixture();
    await engine.run(flow);
    await assert.rejects(resolvePathspec(engine.store, text), (error) => isMfError(error, code));
  });
}

test("a run of a mesh is left to its owner, wherever that is", async () => {
  const engine = engineFixture(
    { load: () => ({ list: [1] }), fit: () => ({ v: 1 }), best: () => ({}) },
    { store: new FakeStore(undefined, { commitsUntilKill: 2 }) },
  );
  const { run } = await engine.start(flow);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const store = new FakeStore(engine.store.durable);
  const summary = await store.getRun(run);
  assert.ok(summary !== undefined);
  const owner = { peer: "p" as PeerId, name: "p", ballot: 1 };
  await store.commit({ summary: { ...summary, owner } });
  assert.equal((await closeInterruptedRuns(store, { isAlive: () => false, now: 5 })).length, 0);
});

test("a run whose process is gone is closed as failed, once", async () => {
  const engine = engineFixture(
    { load: () => ({ list: [1] }), fit: () => ({ v: 1 }), best: () => ({}) },
    { store: new FakeStore(undefined, { commitsUntilKill: 2 }) },
  );
  const { run } = await engine.start(flow);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const store = new FakeStore(engine.store.durable);
  assert.equal((await closeInterruptedRuns(store, { isAlive: () => true, now: 5 })).length, 0);
  assert.equal((await closeInterruptedRuns(store, { isAlive: () => false, now: 5 })).length, 1);
  assert.equal((await closeInterruptedRuns(store, { isAlive: () => false, now: 6 })).length, 0);
  const status = await runStatus(store, run);
  assert.equal(status.state, "failed");
  assert.equal(status.error?.code, "INTERRUPTED");
  assert.equal((await listRuns(store, { state: "failed" })).length, 1);
});
