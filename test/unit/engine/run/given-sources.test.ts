import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeValue } from "../../../../src/artifact/codec.ts";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { createEngine } from "../../../../src/engine/engine.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { ValueRef } from "../../../../src/graph/flow-graph.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { runText } from "../../../../src/model/ids.ts";
import type { SourceValue } from "../../../../src/model/journal.ts";
import { each, engineFixture, out } from "../../../support/engine-fixture.ts";
import { FakeHosts } from "../../../support/fake-hosts.ts";
import { FakeStore } from "../../../support/fake-store.ts";

const csv: ValueRef = { k: "source", spec: "file:a.csv" };
const images: ValueRef = { k: "source", spec: "file:images/" };

function value(of: unknown, files = 1): SourceValue {
  const { data } = encodeValue(of);
  return { data, files, bytes: 3, version: cidOf("messagepack", data) };
}

const FLOW = {
  steps: [
    { name: "read", inputs: { csv } },
    { name: "look", inputs: { image: each(images) }, levels: ["look"] },
    { name: "apart", inputs: {} },
    { name: "end", inputs: { read: out("read", "n") } },
  ],
};
const STEPS = {
  read: ({ csv: text }: Record<string, unknown>) => ({ n: String(text).length }),
  look: ({ image }: Record<string, unknown>) => ({ image }),
  apart: () => ({ v: 1 }),
  end: ({ read }: Record<string, unknown>) => ({ read }),
};

test("steps get sources, the journal pins them, and a changed one runs just its readers again", async () => {
  const engine = engineFixture(STEPS);
  const sources = { "file:a.csv": value("abc"), "file:images/": value(["x", "y"], 2) };
  const first = await engine.run(FLOW, { sources });
  assert.deepEqual(await engine.outputs(first.run, "look"), [{ image: "x" }, { image: "y" }]);
  const [started] = engine.store.durable.journals.get(runText(first.run)) ?? [];
  assert.ok(started?.t === "run-started");
  const pin = started.sources?.["file:images/"];
  assert.deepEqual([pin?.files, pin?.bytes, pin?.version], [2, 3, sources["file:images/"].version]);
  assert.deepEqual(Object.keys(started.sources ?? {}), ["file:a.csv", "file:images/"]);

  const again = await engine.run(FLOW, { sources });
  assert.equal(again.tasks.executed, 0);
  const changed = { ...sources, "file:images/": value(["x", "z"], 2) };
  assert.equal((await engine.run(FLOW, { sources: changed })).tasks.executed, 1);
  const other = await engine.run(FLOW, { sources: { ...changed, "file:a.csv": value("abd") } });
  // `read` reads the file; what it comes to is what it was, so `end` is not run.
  assert.equal(other.tasks.executed, 1);
});

test("a source longer than a message stays in the store and is read from there", async () => {
  const engine = engineFixture(STEPS);
  const many = Array.from({ length: 3000 }, (_, i) => `image ${i}`);
  const sources = { "file:a.csv": value("abc"), "file:images/": value(many, 3000) };
  const { state, tasks } = await engine.run(FLOW, { sources });
  assert.deepEqual([state, tasks.executed], ["succeeded", 3003]);
});

test("a run without its sources does not begin", async () => {
  const engine = engineFixture(STEPS);
  await assert.rejects(engine.run(FLOW, { sources: { "file:a.csv": value("abc") } }), (error) =>
    isMfError(error, "SOURCE_INVALID"),
  );
  assert.equal(engine.store.durable.journals.size, 0);
});

test("a run that goes on has the sources it began with", async () => {
  const engine = engineFixture(STEPS);
  const sources = { "file:a.csv": value("abc"), "file:images/": value(["x", "y"], 2) };
  const { run } = await engine.run(FLOW, { sources });
  const { durable } = engine.store;
  durable.journals.set(runText(run), (durable.journals.get(runText(run)) ?? []).slice(0, 1));
  const hosts = new FakeHosts(STEPS);
  const second = createEngine({
    store: new FakeStore(durable),
    hosts,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "second",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
  const { state, tasks } = await (await second.resume(run)).finished;
  assert.deepEqual([state, tasks.total], ["succeeded", 5]);
});
