import assert from "node:assert/strict";
import { test } from "node:test";
import { listVersions } from "../../../src/client/versions/list-versions.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { runText, type Cid, type RunRef } from "../../../src/model/ids.ts";
import { each, engineFixture, out, param, paramValue } from "../../support/engine-fixture.ts";
import type { EngineFixture, FlowFixture } from "../../support/engine-fixture.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const flow = (name = "test"): FlowFixture => ({
  name,
  params: ["n"],
  steps: [
    { name: "load", inputs: { n: param("n") } },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
    { name: "best", inputs: { n: param("n") } },
  ],
});

interface Place {
  readonly engine: EngineFixture;
  readonly clock: ManualClock;
  /** Runs with parameter n, a second after the one before. */
  run(n: number, more?: { readonly user?: string; readonly flow?: string }): Promise<RunRef>;
}

/** What a manual clock says first. */
const START = new ManualClock().now();

/** `best` gives the same for every even n. */
function place(): Place {
  const clock = new ManualClock();
  const engine = engineFixture(
    {
      load: ({ n }) => ({ list: [1, n] }),
      fit: ({ i }) => ({ v: (i as number) * 2 }),
      best: ({ n }) => ({ best: (n as number) % 2 === 0 ? "even" : n }),
    },
    { clock },
  );
  return {
    engine,
    clock,
    async run(n, { user = "ada", flow: name = "test" } = {}) {
      clock.advance(1_000);
      const { run } = await engine.run(flow(name), { params: { n: paramValue(n) }, user });
      return run;
    },
  };
}

const names = (rows: readonly { readonly artifact: string }[]): string[] =>
  rows.map((row) => row.artifact).sort();

test("an equal version is the same version seen again: made first, seen last, how often", async () => {
  const { engine, run } = place();
  const first = await run(2);
  await run(3, { user: "bob" });
  const last = await run(4, { user: "bob" });
  const { rows, more } = await listVersions(engine.store, { prefix: "test/best/best" });
  assert.equal(more, false);
  assert.equal(rows.length, 2);
  const even = rows[0];
  assert.deepEqual(
    [even?.run, even?.user, even?.lastRun, even?.seen, even?.kind],
    [runText(first), "ada", runText(last), 2, "string[4]"],
  );
  assert.ok((even?.at ?? 0) < (even?.seenAt ?? 0));
  assert.equal(rows[1]?.seen, 1);
});

test("what is reused counts as seen, and was made by the run that executed it", async () => {
  const { engine, run } = place();
  const first = await run(2);
  const again = await run(2);
  const { rows } = await listVersions(engine.store, { prefix: "test/load" });
  assert.deepEqual(
    rows.map((row) => [row.run, row.lastRun, row.seen]),
    [[runText(first), runText(again), 2]],
  );
});

test("filters choose the runs that rows are about", async () => {
  const { engine, run } = place();
  const first = await run(2);
  const second = await run(3, { user: "bob" });
  await run(4, { flow: "other" });
  const list = async (query: Parameters<typeof listVersions>[1]): Promise<string[]> =>
    names((await listVersions(engine.store, query)).rows);
  const threes = ["test/best/best", "test/fit[0]/v", "test/fit[1]/v", "test/load/list"];
  assert.deepEqual(await list({ prefix: "test", user: "bob" }), threes);
  assert.deepEqual(await list({ params: { n: "3" } }), threes);
  assert.deepEqual(await list({ run: runText(second) }), threes);
  assert.deepEqual(await list({ run: second.id.slice(0, 8) }), threes);
  assert.deepEqual(
    await list({ prefix: "test/best", since: START + 1_900, until: START + 2_900 }),
    ["test/best/best"],
  );
  assert.deepEqual(await list({ prefix: "test/fit[1]" }), ["test/fit[1]/v", "test/fit[1]/v"]);
  assert.deepEqual(await list({ peer: "nobody" }), []);
  assert.deepEqual(await list({ params: { m: "3" } }), []);
  const tag = {
    kind: "tag",
    on: runText(first),
    name: "good",
    value: "",
    at: 1,
    by: "ada",
  } as const;
  await engine.store.commit({ marks: [tag] });
  assert.deepEqual(await list({ prefix: "test/best", tags: ["good"] }), ["test/best/best"]);
  assert.deepEqual(await list({ tags: ["good", "bad"] }), []);
  await engine.store.commit({ marks: [{ ...tag, kind: "gone", name: "" }] });
  assert.deepEqual(await list({ prefix: "test/best", tags: ["good"] }), []);
  assert.equal((await listVersions(engine.store, { prefix: "test/best" })).rows.length, 1);
});

test("a limit gives the newest, with what older runs say of them", async () => {
  const { engine, run } = place();
  for (let n = 0; n < 70; n++) await run(n % 50);
  const whole = await listVersions(engine.store, { prefix: "test" });
  assert.equal(whole.more, false);
  for (const limit of [1, 7, 40]) {
    const { rows, more } = await listVersions(engine.store, { prefix: "test", limit });
    assert.deepEqual(rows, whole.rows.slice(0, limit));
    assert.equal(more, true);
  }
});

test("at a glance: one row a name, a foreach as one, with sources and code", async () => {
  const { engine, run } = place();
  const first = await run(2);
  await run(3);
  const journal = engine.store.durable.journals.get(runText(first)) ?? [];
  const id = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy" as Cid;
  const pin = { id, version: id, files: 2, bytes: 7 };
  engine.store.durable.journals.set(
    runText(first),
    journal.map((entry) => {
      return entry.t === "run-started" ? { ...entry, sources: { "file:a/*.csv": pin } } : entry;
    }),
  );
  const what = ["artifact", "source", "code"] as const;
  const { rows } = await listVersions(engine.store, { prefix: "test", what, glance: true });
  assert.deepEqual(rows.map((row) => `${row.artifact} ${row.versions}`).sort(), [
    "test/best/best 2",
    "test/code:best 1",
    "test/code:fit 1",
    "test/code:load 1",
    "test/fit/v 3",
    "test/load/list 2",
    "test/source:a/*.csv 1",
  ]);
  const source = await listVersions(engine.store, { prefix: "test/source:a/*.csv" });
  assert.deepEqual(
    source.rows.map((row) => [row.what, row.id, row.kind, row.bytes]),
    [["source", id, "files[2]", 7]],
  );
  assert.equal((await listVersions(engine.store, { prefix: "test/source:" })).rows.length, 1);
  assert.equal((await listVersions(engine.store, { prefix: "test/source:x" })).rows.length, 0);
  const code = await listVersions(engine.store, { prefix: "test/code:fit" });
  assert.deepEqual(
    code.rows.map((row) => [row.id, row.seen]),
    [["fit".padStart(64, "0"), 2]],
  );
});

for (const prefix of ["/", "a/", "a/b/", "a//c", "a/b/c/d"]) {
  test(`${prefix} names no versions`, async () => {
    const { engine } = place();
    await assert.rejects(listVersions(engine.store, { prefix }), (error) =>
      isMfError(error, "PATHSPEC_INVALID"),
    );
  });
}
