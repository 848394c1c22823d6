import assert from "node:assert/strict";
import { test } from "node:test";
import {
  removals,
  removalsByRules,
  restorations,
} from "../../../../src/client/collection/remove-runs.ts";
import { collect } from "../../../../src/client/collection/collect.ts";
import { localRoots } from "../../../../src/client/collection/roots.ts";
import { localReadSide } from "../../../../src/client/control/local-read-side.ts";
import { Records } from "../../../../src/client/records.ts";
import { writeMarks } from "../../../../src/client/write-marks.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { openMemoryStore } from "../../../../src/store/memory/memory-store.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { storeRun, valueId } from "../../../support/stored-runs.ts";

async function withRecords(body: (store: Store, records: Records) => Promise<void>): Promise<void> {
  const store = openMemoryStore();
  try {
    await body(store, new Records(localReadSide(store)));
  } finally {
    await store.close();
  }
}

const write = (
  store: Store,
  changes: Parameters<typeof writeMarks>[1],
  now = 5000,
): Promise<unknown> => writeMarks(store, changes, { now });

test("rm refuses what goes on, what is tagged or pinned, and all when one is refused", () =>
  withRecords(async (store, records) => {
    await storeRun(store, "aaaaaaaaaa", { tasks: [], state: "running" });
    await storeRun(store, "bbbbbbbbbb", { tasks: [] });
    await storeRun(store, "cccccccccc", { tasks: [] });
    await write(store, [
      { kind: "tag", on: "sweep/bbbbbbbbbb", name: "best", value: "", user: "ada" },
    ]);
    const remove = (texts: readonly string[], force = false): ReturnType<typeof removals> =>
      removals(records, texts, { user: "ada", force });
    await assert.rejects(remove(["sweep/aaaaaaaaaa"], true), (error) =>
      isMfError(error, "RUN_GOING_ON"),
    );
    await assert.rejects(
      remove(["sweep/cccccccccc", "sweep/bbbb"]),
      (error) => isMfError(error, "RUN_HELD") && /tagged best/.test(error.message),
    );
    await assert.rejects(remove(["sweep/zz"]), (error) => isMfError(error, "RUN_NOT_FOUND"));
    await assert.rejects(remove(["sweep"]), (error) => isMfError(error, "PATHSPEC_INVALID"));
    const changes = await remove(["sweep/bbbb", "sweep/bbbbbbbbbb"], true);
    assert.deepEqual(changes, [
      { kind: "gone", on: "sweep/bbbbbbbbbb", name: "", value: "", user: "ada" },
    ]);
  }));

test("a removal is taken back until its results are collected", () =>
  withRecords(async (store, records) => {
    for (const id of ["aaaaaaaaaa", "abbbbbbbbb"])
      await storeRun(store, id, { tasks: [{ key: id, output: id }] });
    await write(store, await removals(records, ["sweep/aa"], { user: "ada" }));
    await write(store, await removals(records, ["sweep/ab"], { user: "ada" }), 5001);
    const undo = (text: string): ReturnType<typeof restorations> =>
      restorations(records, [text], "ada");
    await assert.rejects(undo("sweep/a"), (error) => isMfError(error, "PATHSPEC_AMBIGUOUS"));
    await assert.rejects(undo("other/latest"), (error) => isMfError(error, "RUN_NOT_FOUND"));
    const last = await undo("sweep/latest");
    assert.deepEqual(last, [{ kind: "gone", on: "sweep/abbbbbbbbb", name: "", user: "ada" }]);
    await write(store, last);
    assert.equal((await records.runs()).length, 1);
    await collect(store, () => localRoots(store), { now: 6000 });
    await assert.rejects(
      undo("sweep/aaaaaaaaaa"),
      (error) => isMfError(error, "RUN_COLLECTED") && /1 of its 1/.test(error.message),
    );
  }));

test("a run one of whose contents is pinned is kept by every rule", () =>
  withRecords(async (store, records) => {
    for (const [at, id] of ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"].entries())
      await storeRun(store, id, { tasks: [{ key: id, output: id }], createdAt: at });
    const pin = { kind: "pin", on: `c:${valueId("aaaaaaaaaa")}`, name: "" } as const;
    await write(store, [{ ...pin, value: "", user: "ada" }]);
    const changes = await removalsByRules(records, { keep: 1 }, { user: "ada", now: 5000 });
    assert.deepEqual(
      changes.map(({ on }) => on),
      ["sweep/bbbbbbbbbb"],
    );
    assert.deepEqual(await removalsByRules(records, {}, { user: "ada", now: 5000 }), []);
  }));
