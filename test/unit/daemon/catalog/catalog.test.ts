import assert from "node:assert/strict";
import { appendFileSync, mkdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import type { LogLine, WatchEvent } from "../../../../src/client/control/daemon-side.ts";
import { logDirectoryOf, logFileOf } from "../../../../src/engine/run/log-file.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { type Cid, runText, type RunRef } from "../../../../src/model/ids.ts";
import { catalogMesh, idOf, type CatalogMesh } from "../../../support/catalog-mesh.ts";
import { collect, each, out, type FlowFixture } from "../../../support/engine-fixture.ts";
import { deferred } from "../../../support/fake-daemon.ts";
import type { FakeStep } from "../../../support/fake-hosts.ts";

const flow: FlowFixture = {
  steps: [
    { name: "load" },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
    { name: "best", inputs: { all: collect(out("fit", "v")) } },
  ],
};
const steps: Readonly<Record<string, FakeStep>> = {
  load: () => ({ list: [5, 6, 7] }),
  fit: ({ i }) => ({ v: (i as number) + 1 }),
  best: ({ all }) => ({ all }),
};
const names = ["ada", "bob", "cyd"];
const never = new AbortController().signal;

async function mesh(t: TestContext, gate?: (peer: string) => Promise<void>): Promise<CatalogMesh> {
  const made = await catalogMesh(names, steps, gate);
  t.after(() => made.close());
  return made;
}

test("runs of every peer are one list, newest first, each run once", async (t) => {
  const { peer } = await mesh(t);
  const first = await peer("ada").engine.run(flow);
  const second = await peer("bob").engine.run(flow);
  const summary = await peer("ada").store.getRun(first.run);
  assert.ok(summary !== undefined);
  // A keeper that is behind.
  await peer("cyd").store.commit({
    summary: { ...summary, state: "running", counts: { ...summary.counts, succeeded: 1 } },
  });
  const listed = await peer("cyd").catalog.runs();
  assert.deepEqual(
    new Set(listed.map((row) => `${runText(row.run)} ${row.state}`)),
    new Set([first, second].map(({ run }) => `${runText(run)} succeeded`)),
  );
  assert.deepEqual(await peer("cyd").catalog.runs("other"), []);
  assert.equal((await peer("cyd").catalog.run(runText(first.run))).counts.succeeded, 5);
});

test("a peer that does not answer is named and nothing else", async (t) => {
  const { peer, network } = await mesh(t);
  await peer("ada").engine.run(flow);
  await peer("bob").engine.run(flow);
  network.cut(idOf("ada"), idOf("bob"), { isSilent: true });
  assert.equal((await peer("ada").catalog.runs()).length, 1);
  assert.deepEqual(await peer("ada").catalog.unanswered(), ["bob"]);
  network.heal(idOf("ada"), idOf("bob"));
  assert.equal((await peer("ada").catalog.runs()).length, 2);
  assert.deepEqual(await peer("ada").catalog.unanswered(), []);
});

test("a peer that is not alive is not asked", async (t) => {
  const { peer, setState } = await mesh(t);
  await peer("bob").engine.run(flow);
  setState("bob", "dead");
  assert.deepEqual(await peer("ada").catalog.runs(), []);
  assert.deepEqual(await peer("ada").catalog.unanswered(), []);
});

test("status comes from the owner, its peers by name", async (t) => {
  const { peer } = await mesh(t);
  const { run } = await peer("bob").engine.run(flow);
  const status = await peer("cyd").catalog.status(`test/${run.id.slice(0, 5)}`);
  assert.equal(status.run, runText(run));
  assert.equal(status.state, "succeeded");
  assert.deepEqual(
    status.steps.map((step) => [step.name, step.tasks.succeeded, step.peers]),
    [
      ["load", 1, { bob: 1 }],
      ["fit", 3, { bob: 3 }],
      ["best", 1, { bob: 1 }],
    ],
  );
});

test("status of a run that goes on has what is planned and what runs now", async (t) => {
  const gate = deferred();
  const { peer } = await mesh(t, () => gate.promise);
  const handle = await peer("bob").engine.start(flow);
  const status = await peer("ada").catalog.status("test/latest");
  assert.equal(status.state, "running");
  assert.equal(status.steps.length, 3);
  gate.resolve();
  await handle.finished;
});

test("versions name every peer that holds them", async (t) => {
  const { peer } = await mesh(t);
  await peer("bob").engine.run(flow);
  const [bobs] = (await peer("bob").catalog.versions({ prefix: "test/best/all" })).rows;
  assert.deepEqual(bobs?.peers, ["bob"]);
  assert.ok(bobs !== undefined);
  const data = peer("bob").store.durable.contents.get(bobs.id as Cid);
  assert.ok(data !== undefined);
  peer("cyd").store.durable.contents.set(bobs.id as Cid, data);
  const { rows: listed } = await peer("ada").catalog.versions({ prefix: "test" });
  assert.equal(listed.length, 5);
  const best = listed.find((row) => row.artifact === "test/best/all");
  assert.deepEqual(best?.peers, ["bob", "cyd"]);
  assert.equal(best?.by, "bob");
});

test("peers with different histories agree about versions, each run counted once", async (t) => {
  const { peer } = await mesh(t);
  const shared = await peer("ada").engine.run(flow);
  await peer("bob").engine.run(flow);
  await peer("bob").engine.run(flow);
  // A keeper has the journal of a run, and not its facts.
  const cyd = peer("cyd").store;
  const text = runText(shared.run);
  cyd.durable.journals.set(text, peer("ada").store.durable.journals.get(text) ?? []);
  const summary = await peer("ada").store.getRun(shared.run);
  assert.ok(summary !== undefined);
  cyd.durable.runs.set(text, summary);
  const [first, ...others] = await Promise.all(
    ["ada", "bob", "cyd"].map((name) => peer(name).catalog.versions({ prefix: "test" })),
  );
  assert.ok(first !== undefined);
  assert.equal(first.rows.length, 5);
  assert.ok(first.rows.every((row) => row.seen === 3 && row.run === text && row.by === "ada"));
  for (const other of others) assert.deepEqual(other, first);
  const { rows } = await peer("cyd").catalog.versions({ prefix: "test/fit", limit: 2 });
  assert.deepEqual(
    rows,
    (await peer("bob").catalog.versions({ prefix: "test/fit" })).rows.slice(0, 2),
  );
  const bobs = await peer("cyd").catalog.versions({ peer: "bob" });
  assert.ok(bobs.rows.length === 5 && bobs.rows.every((row) => row.seen === 2));
});

test("a pathspec of a run that was elsewhere resolves, with the facts of whoever has them", async (t) => {
  const { peer } = await mesh(t);
  const { run } = await peer("bob").engine.run(flow);
  const one = await peer("ada").catalog.resolve("test/latest/fit[1]/v");
  assert.equal(one.kind === "artifact" && one.artifact.pathspec, `${runText(run)}/fit[1]/v`);
  const all = await peer("ada").catalog.resolve("test/latest/fit/v");
  assert.equal(all.kind === "artifacts" && all.artifacts.length, 3);
  const id = one.kind === "artifact" ? one.artifact.ref.id : "";
  assert.deepEqual(await peer("ada").catalog.resolve(`c:${id}`), { kind: "content", id });
  assert.deepEqual(await peer("ada").catalog.resolve(`c:${id.slice(0, 30)}`), {
    kind: "content",
    id,
  });
  await assert.rejects(peer("ada").catalog.resolve("test/latest/fit[9]/v"), (error) =>
    isMfError(error, "PATHSPEC_NOT_FOUND"),
  );
  await assert.rejects(peer("ada").catalog.resolve("test/zzz/fit"), (error) =>
    isMfError(error, "RUN_NOT_FOUND"),
  );
});

test("a tag and a time name runs that are elsewhere", async (t) => {
  const { peer } = await mesh(t);
  const { run } = await peer("ada").engine.run(flow);
  await peer("bob").engine.run(flow);
  const mark = { kind: "tag", on: runText(run), name: "best", value: "", at: 1, by: "x" } as const;
  // As daemon/marks spreads it: every peer has every mark.
  await peer("cyd").store.commit({ marks: [mark] });
  const { catalog } = peer("cyd");
  assert.equal(runText((await catalog.run("test/@best")).run), runText(run));
  assert.equal((await catalog.status("test/@best")).run, runText(run));
  const found = await catalog.resolve("test/@best/fit[1]/v");
  assert.equal(found.kind === "artifact" && found.artifact.pathspec, `${runText(run)}/fit[1]/v`);
  assert.equal((await catalog.journal("test/@best")).length > 1, true);
  await assert.rejects(catalog.run("test/@worst"), (error) => isMfError(error, "TAG_NOT_FOUND"));
  // As long as a whole id, and none.
  await assert.rejects(catalog.run("test/1999-12-31"), (error) =>
    isMfError(error, "RUN_NOT_FOUND"),
  );
  await assert.rejects(catalog.run("test/@worst9ever"), (error) =>
    isMfError(error, "TAG_NOT_FOUND"),
  );
  assert.equal((await catalog.run("test/9999-12-31")).state, "succeeded");
});

test("a keeper without facts asks the others for them", async (t) => {
  const { peer } = await mesh(t);
  const { run } = await peer("bob").engine.run(flow);
  const summary = await peer("bob").store.getRun(run);
  assert.ok(summary !== undefined);
  const entries = peer("bob").store.durable.journals.get(runText(run)) ?? [];
  await peer("cyd").store.commit({ journal: { run, entries }, summary });
  const found = await peer("cyd").catalog.resolve(`${runText(run)}/fit/v`);
  assert.equal(found.kind === "artifacts" && found.artifacts.length, 3);
  assert.equal(
    await peer("ada").catalog.packageId(runText(run)),
    await peer("bob").catalog.packageId(runText(run)),
  );
});

test("watching a run elsewhere tells its progress and its result", async (t) => {
  const gate = deferred();
  const { peer } = await mesh(t, () => gate.promise);
  const handle = await peer("bob").engine.start(flow);
  const events: WatchEvent[] = [];
  const result = await peer("ada").catalog.watch(
    runText(handle.run),
    (event) => {
      events.push(event);
      gate.resolve();
    },
    never,
  );
  const first = events.find((event) => event.t === "progress");
  assert.equal(first?.owner, "bob");
  const told = events.flatMap((event) => (event.t === "event" ? [event.event.t] : []));
  assert.ok(told.includes("step-finished"));
  assert.equal(told.at(-1), "run-finished");
  assert.equal(result.state, "succeeded");
  assert.equal(result.tasks.succeeded, 5);
});

test("watching a run that has ended tells how", async (t) => {
  const { peer } = await mesh(t);
  const ran = await peer("bob").engine.run(flow);
  const result = await peer("ada").catalog.watch("test/latest", () => undefined, never);
  assert.deepEqual([result.run, result.state, result.tasks], [ran.run, ran.state, ran.tasks]);
});

for (const isDead of [true, false]) {
  test(`watching goes on with the next owner after the first one ${isDead ? "died" : "let go"}`, async (t) => {
    const gate = deferred();
    const { peer, network, setState } = await mesh(t, (name) =>
      name === "bob" ? new Promise(() => undefined) : gate.promise,
    );
    const handle = await peer("bob").engine.start(flow);
    const run = runText(handle.run);
    const owners: string[] = [];
    const takeOver = async (): Promise<void> => {
      if (isDead) {
        network.kill(idOf("bob"));
        setState("bob", "dead");
      } else {
        peer("bob").abandoned.add(run);
        peer("bob").owners.set(run, { peer: idOf("cyd"), name: "cyd" });
      }
      const next = await peer("cyd").engine.start(flow);
      const summary = await peer("bob").store.getRun(handle.run);
      assert.ok(summary !== undefined);
      await peer("cyd").store.commit({ summary });
      peer("cyd").takenOver.set(run, next);
    };
    const result = await peer("ada").catalog.watch(
      run,
      (event) => {
        if (event.t !== "progress" || owners.at(-1) === event.owner) return;
        owners.push(event.owner);
        if (event.owner === "bob") void takeOver();
        else gate.resolve();
      },
      never,
    );
    assert.deepEqual(owners, ["bob", "cyd"]);
    assert.equal(result.state, "succeeded");
  });
}

test("a watch ends when its reader does", async (t) => {
  const { peer } = await mesh(t, () => new Promise(() => undefined));
  const handle = await peer("bob").engine.start(flow);
  const controller = new AbortController();
  await assert.rejects(
    peer("ada").catalog.watch(runText(handle.run), () => controller.abort(), controller.signal),
    (error) => isMfError(error, "INTERRUPTED"),
  );
});

test("cancel reaches the owner, also by a peer that only knows who it is", async (t) => {
  const { peer } = await mesh(t, () => new Promise(() => undefined));
  const handle = await peer("bob").engine.start(flow);
  peer("ada").owners.set(runText(handle.run), { peer: idOf("cyd"), name: "cyd" });
  peer("cyd").owners.set(runText(handle.run), { peer: idOf("bob"), name: "bob" });
  await peer("ada").catalog.cancel(runText(handle.run));
  // Twice is once, and an end is no error.
  await peer("ada").catalog.cancel(runText(handle.run));
  await assert.rejects(peer("ada").catalog.cancel("test/zzzz"), (error) =>
    isMfError(error, "RUN_NOT_FOUND"),
  );
});

function print(m: CatalogMesh, name: string, run: RunRef, records: readonly object[]): void {
  const { home } = m.peer(name).store;
  mkdirSync(logDirectoryOf(home, run), { recursive: true });
  for (const record of records)
    appendFileSync(logFileOf(home, run, "fit"), `${JSON.stringify(record)}\n`);
}

test("logs of all peers are merged by time, pieces joined, with the peer's name", async (t) => {
  const m = await mesh(t);
  const { run } = await m.peer("bob").engine.run(flow);
  print(m, "ada", run, [
    { t: 1, i: "0", a: 0, s: "out", m: "one" },
    { t: 4, i: "0", a: 0, s: "err", m: "fo", c: true },
    { t: 5, i: "0", a: 0, s: "err", m: "ur" },
  ]);
  print(m, "bob", run, [
    { t: 2, i: "1", a: 0, s: "out", m: "two" },
    { t: 3, i: "1", a: 1, s: "out", m: "three" },
    { t: 6, i: "1", a: 1, s: "out", m: "cut", c: true },
  ]);
  const lines: LogLine[] = [];
  const take = (batch: readonly LogLine[]): void => void lines.push(...batch);
  await m.peer("cyd").catalog.logs({ run: runText(run), follow: false }, take, never);
  assert.deepEqual(
    lines.map(
      (line) => `${line.peer} ${line.index.join()} ${line.attempt} ${line.stream} ${line.text}`,
    ),
    [
      "ada 0 0 stdout one",
      "bob 1 0 stdout two",
      "bob 1 1 stdout three",
      "ada 0 0 stderr four",
      "bob 1 1 stdout cut",
    ],
  );
  lines.length = 0;
  const only = { run: runText(run), step: "fit", index: [0], follow: false };
  await m.peer("cyd").catalog.logs(only, take, never);
  assert.deepEqual(
    lines.map((line) => line.text),
    ["one", "four"],
  );
});

test("a long log comes in pages and in order", async (t) => {
  const m = await mesh(t);
  const { run } = await m.peer("bob").engine.run(flow);
  const text = "x".repeat(1000);
  for (const name of ["ada", "bob"])
    print(
      m,
      name,
      run,
      Array.from({ length: 1500 }, (_, t) => ({
        t: 2 * t + Number(name === "bob"),
        i: "0",
        a: 0,
        s: "out",
        m: text,
      })),
    );
  const times: number[] = [];
  await m
    .peer("cyd")
    .catalog.logs(
      { run: runText(run), follow: false },
      (batch) => void times.push(...batch.map((line) => line.at)),
      never,
    );
  assert.deepEqual(
    times,
    Array.from({ length: 3000 }, (_, at) => at),
  );
});

test("followed logs end with the run and have what was printed last", async (t) => {
  const gate = deferred();
  const m = await mesh(t, () => gate.promise);
  const handle = await m.peer("bob").engine.start(flow);
  print(m, "bob", handle.run, [{ t: 1, i: "0", a: 0, s: "out", m: "first" }]);
  const seen: string[] = [];
  await m.peer("ada").catalog.logs(
    { run: runText(handle.run), follow: true },
    async (batch) => {
      seen.push(...batch.map((line) => line.text));
      if (batch.length === 0 || seen.length > 1) return;
      print(m, "ada", handle.run, [{ t: 2, i: "0", a: 0, s: "out", m: "second" }]);
      gate.resolve();
      await handle.finished;
    },
    never,
  );
  assert.deepEqual(seen, ["first", "second"]);
});
