import assert from "node:assert/strict";
import { test } from "node:test";
import { localReadSide } from "../../../../src/client/control/local-read-side.ts";
import { clientOver, type Client } from "../../../../src/client/library/client.ts";
import { LEASE_IDLE_MS, type OpenedSide } from "../../../../src/client/library/leased-side.ts";
import { writeMarks } from "../../../../src/client/write-marks.ts";
import type { ErrorCode } from "../../../../src/model/error-table.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import { runText } from "../../../../src/model/ids.ts";
import {
  collect,
  each,
  engineFixture,
  out,
  param,
  paramValue,
  type EngineFixture,
  type FlowFixture,
} from "../../../support/engine-fixture.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const flow = (name = "test"): FlowFixture => ({
  name,
  params: ["n"],
  steps: [
    { name: "load", inputs: { n: param("n") } },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
    { name: "score", inputs: { v: out("fit", "v") }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("score", "s")) } },
  ],
});

interface Place {
  readonly engine: EngineFixture;
  readonly client: Client;
  readonly clock: ManualClock;
  readonly opened: { count: number; closed: number };
  run(n: number, more?: { readonly user?: string; readonly flow?: string }): Promise<string>;
}

function place(more: Partial<OpenedSide> = {}): Place {
  const clock = new ManualClock();
  const engine = engineFixture(
    {
      load: ({ n }) => ({ list: [1, n] }),
      fit: ({ i }) => {
        if (i === 13) throw new Error("unlucky");
        return { v: (i as number) * 2 };
      },
      score: ({ v }) => ({ s: v }),
      best: ({ all }) => ({ all, bytes: new Uint8Array([1, 2]) }),
    },
    { clock },
  );
  const opened = { count: 0, closed: 0 };
  const client = clientOver({
    home: engine.store.home,
    user: "cyd",
    clock,
    async open() {
      opened.count++;
      return {
        readSide: localReadSide(engine.store),
        mark: (changes) => writeMarks(engine.store, changes, { now: clock.now() }),
        close: async () => void opened.closed++,
        ...more,
      };
    },
  });
  return {
    engine,
    client,
    clock,
    opened,
    async run(n, { user = "ada", flow: name = "test" } = {}) {
      clock.advance(1_000);
      const { run } = await engine.run(flow(name), { params: { n: paramValue(n) }, user });
      return runText(run);
    },
  };
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const texts = async (items: AsyncIterable<{ readonly pathspec: string }>): Promise<string[]> =>
  (await listed(items)).map(({ pathspec }) => pathspec);

test("flows, runs, steps and tasks, the newest run first", async () => {
  const { client, run } = place();
  const first = await run(2);
  const second = await run(3);
  const other = await run(2, { flow: "other" });
  assert.deepEqual(await texts(client), ["other", "test"]);
  assert.deepEqual(await texts(client.runs()), [other, second, first]);
  const test = client.flow("test");
  assert.deepEqual(await texts(test), [second, first]);
  const latest = await test.latestRun();
  assert.ok(latest !== undefined);
  assert.deepEqual([latest.successful, latest.finished, latest.user], [true, true, "ada"]);
  assert.deepEqual(await latest.params(), { n: "3" });
  assert.equal(await latest.param("n"), 3);
  assert.deepEqual(
    await texts(latest),
    ["load", "fit", "score", "best"].map((step) => `${second}/${step}`),
  );
  assert.deepEqual(await texts(latest.step("fit")), [`${second}/fit[0]`, `${second}/fit[1]`]);
  assert.equal((await listed(latest.tasks())).length, 6);
});

test("values are read when they are asked for, once", async () => {
  const { client, engine, run } = place();
  await run(4);
  const task = await (await client.run("test/latest")).step("fit").task(1);
  const artifact = task.artifact("v");
  assert.deepEqual([artifact.name, artifact.kind, artifact.size], ["v", "number", 1]);
  const before = engine.store.locateCount;
  assert.equal(await artifact.value<number>(), 8);
  assert.equal(await artifact.value<number>(), 8);
  assert.equal(engine.store.locateCount, before + 1);
  assert.deepEqual(await task.data(), { v: 8 });
  const latest = await client.run("test/latest");
  assert.deepEqual((await latest.data<{ all: number[] }>()).all, [2, 8]);
  assert.deepEqual(await (await latest.artifact("bytes")).bytes(), new Uint8Array([1, 2]));
  await assert.rejects(task.artifact("v").bytes(), (error) =>
    isMfError(error, "FORMAT_UNSUPPORTED"),
  );
  assert.deepEqual(Object.keys(task.inputs), ["i"]);
});

test("tasks know those before and behind them, at the same place in every foreach", async () => {
  const { client, run } = place();
  const id = await run(5);
  const latest = await client.run(id);
  const score = await latest.step("score").task(1);
  const names = (tasks: readonly { readonly pathspec: string }[]): string[] =>
    tasks.map(({ pathspec }) => pathspec.slice(id.length + 1));
  assert.deepEqual(names(await score.parents()), ["fit[1]"]);
  assert.deepEqual(names(await score.children()), ["best"]);
  const best = await latest.step("best").task();
  assert.deepEqual(names(await best.parents()), ["score[0]", "score[1]"]);
  assert.deepEqual(names(await (await latest.step("load").task()).children()), [
    "fit[0]",
    "fit[1]",
  ]);
  assert.deepEqual(await latest.step("fit").childSteps(), ["score"]);
  assert.deepEqual(await latest.step("fit").parentSteps(), ["load"]);
});

test("a failed task says why, and the latest successful run is another", async () => {
  const { client, run } = place();
  const good = await run(2);
  const bad = await run(13);
  const flowOf = client.flow("test");
  assert.equal((await flowOf.latestRun())?.pathspec, bad);
  assert.equal((await flowOf.latestSuccessfulRun())?.pathspec, good);
  const run13 = await client.run(bad);
  assert.deepEqual([run13.state, run13.successful, run13.finished], ["failed", false, true]);
  const [task] = await listed(run13.step("fit").tasks({ state: "failed" }));
  assert.match(String(task?.error?.message), /unlucky/);
  assert.throws(
    () => task?.artifact("v"),
    (error) => isMfError(error, "PATHSPEC_NOT_FOUND"),
  );
  assert.equal((await listed(run13.step("fit").tasks({ state: "succeeded" }))).length, 1);
});

test("runs are filtered by state, user, tag, time and number", async () => {
  const { client, clock, run } = place();
  const start = clock.now();
  const first = await run(2);
  const second = await run(3, { user: "bob" });
  await run(13);
  const test = client.flow("test");
  assert.deepEqual(await texts(test.runs({ user: "bob" })), [second]);
  assert.deepEqual(await texts(test.runs({ state: "succeeded", limit: 1 })), [second]);
  assert.deepEqual(await texts(test.runs({ until: start + 1_500 })), [first]);
  assert.deepEqual(
    await texts(
      test.runs({ since: { valueOf: () => start + 1_500 }, user: "ada", state: "succeeded" }),
    ),
    [],
  );
  const handle = await client.run(first);
  await handle.addTags("good", "user:ada");
  assert.deepEqual(await texts(test.runs({ tags: ["good"] })), [first]);
  assert.deepEqual(await texts(test.runs({ tags: ["good", "user:bob"] })), []);
  assert.deepEqual(await texts(test.runs({ tags: ["user:bob"] })), [second]);
  const { user, system, all } = await handle.tags();
  assert.deepEqual(user, ["good"]);
  assert.ok(system.includes("user:ada") && all.length === user.length + system.length);
  await handle.replaceTags(["good"], ["better"]);
  assert.deepEqual((await handle.tags()).user, ["better"]);
  await handle.removeTags("better");
  assert.deepEqual((await handle.tags()).user, []);
  await assert.rejects(handle.removeTags("user:ada"), (error) => isMfError(error, "TAG_RESERVED"));
  await assert.rejects(handle.addTags("fine", "not fine"), (error) =>
    isMfError(error, "TAG_INVALID"),
  );
  assert.deepEqual((await handle.tags()).user, [], "all of them or none");
});

test("an address gives what it names, however deep", async () => {
  const { client, run } = place();
  const id = await run(2);
  const kinds = async (text: string): Promise<string> => String(await client.get(text));
  assert.equal(await kinds("test"), "Flow(test)");
  assert.equal(await kinds("test/latest"), `Run(${id})`);
  assert.equal(await kinds(`${id}/fit`), `Step(${id}/fit)`);
  assert.equal(await kinds("test/latest/fit[1]"), `Task(${id}/fit[1])`);
  assert.equal(await kinds("test/latest/fit[1]/v"), `Artifact(${id}/fit[1]/v)`);
  const list = await client.artifact("test/latest/load/list.1");
  assert.equal(await list.value(), 2);
  const content = await client.artifact(`c:${list.id}`);
  assert.deepEqual(await content.value(), [1, 2]);
  const { rows } = await client.versions({ prefix: "test/best/all" });
  assert.equal(rows.length, 1);
  assert.equal((await client.flow("test").versions({ prefix: "fit/v" })).length, 2);
  assert.ok((await client.diff(id, id)).same);
});

for (const [text, code] of [
  ["nothing", "PATHSPEC_NOT_FOUND"],
  ["test/zzz", "RUN_NOT_FOUND"],
  ["test/latest/none", "PATHSPEC_NOT_FOUND"],
  ["test/latest/fit[7]", "PATHSPEC_NOT_FOUND"],
  ["test/latest/fit/v", "PATHSPEC_AMBIGUOUS"],
  ["test/latest/fit[0]/none", "PATHSPEC_NOT_FOUND"],
  ["c:b", "PATHSPEC_INVALID"],
] as const satisfies readonly (readonly [string, ErrorCode])[]) {
  test(`${text}: ${code}`, async () => {
    const { client, run } = place();
    await run(2);
    await assert.rejects(client.get(text), (error) => isMfError(error, code));
  });
}

test("a run is watched to its end, and waited for", async () => {
  const { client, run } = place();
  const id = await run(2);
  const handle = await client.run(id);
  const states = (await listed(handle.watch())).map(({ state }) => state);
  assert.deepEqual(states, ["succeeded"]);
  assert.equal(await handle.wait(), handle);
});

test("what answers is let go of when nothing is asked for a while, and found again", async () => {
  const { client, clock, opened, run } = place();
  await run(2);
  await client.run("test/latest");
  await client.versions();
  assert.deepEqual(opened, { count: 1, closed: 0 });
  clock.advance(LEASE_IDLE_MS);
  await client.run("test/latest");
  assert.deepEqual(opened, { count: 2, closed: 1 });
  await client.close();
  assert.deepEqual(opened, { count: 2, closed: 2 });
  await assert.rejects(client.run("test/latest"), (error) => isMfError(error, "NOT_AVAILABLE"));
});

test("where who answered has ended, whoever answers now is asked", async () => {
  let isLost = true;
  const { client, opened, engine, run } = place();
  await run(2);
  const lost = clientOver({
    home: client.home,
    user: "cyd",
    clock: new ManualClock(),
    open: async () => {
      opened.count++;
      const side = localReadSide(engine.store);
      const runs: typeof side.runs = async (flowName) => {
        if (isLost) throw new MfError("CONTROL_LOST", {});
        return side.runs(flowName);
      };
      const close = async (): Promise<void> => void (isLost = false);
      return { readSide: { ...side, runs }, mark: async () => [], close };
    },
  });
  const both = await Promise.all([texts(lost), texts(lost.runs())]);
  assert.equal(both[0]?.length, 1);
  assert.equal(opened.count, 2);
});
