import assert from "node:assert/strict";
import { test } from "node:test";
import { resolvePathspec } from "../../../src/client/resolve-pathspec.ts";
import { closeInterruptedRuns, listRuns, runStatus } from "../../../src/client/runs.ts";
import { listVersions } from "../../../src/client/versions/list-versions.ts";
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

for (const [text, code] of [
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
