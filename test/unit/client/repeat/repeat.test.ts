import assert from "node:assert/strict";
import { test } from "node:test";
import { localReadSide } from "../../../../src/client/control/local-read-side.ts";
import { Records } from "../../../../src/client/records.ts";
import { readOrigin, requireEnded, runToResume } from "../../../../src/client/repeat/origin.ts";
import { withVersions } from "../../../../src/client/repeat/python-versions.ts";
import { repeatOf, type RepeatChanges } from "../../../../src/client/repeat/repeat-request.ts";
import { madeRun, verifyRun } from "../../../../src/client/repeat/verification.ts";
import { createEngine } from "../../../../src/engine/engine.ts";
import type { RunResult } from "../../../../src/engine/run-api.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import { runText, type RunRef } from "../../../../src/model/ids.ts";
import type { JournalEntry } from "../../../../src/model/journal.ts";
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
import { FakeHosts, type FakeStep } from "../../../support/fake-hosts.ts";
import { FakeStore } from "../../../support/fake-store.ts";

const FLOW: FlowFixture = {
  params: ["n"],
  steps: [
    { name: "list", inputs: { n: param("n") } },
    { name: "fit", inputs: { x: each(out("list", "xs")) }, levels: ["fit"] },
    { name: "draw", inputs: { xs: out("list", "xs") } },
    { name: "fetch", options: { cache: { enabled: false } } },
    {
      name: "sum",
      inputs: { all: collect(out("fit", "y")), z: out("draw", "z"), day: out("fetch", "day") },
    },
  ],
};

interface World {
  readonly engine: EngineFixture;
  readonly records: Records;
  /** What the next draw and the next fetch give; "" fails. */
  readonly next: { draw: number; day: string; sums: boolean };
  again(run: RunRef, changes: Omit<RepeatChanges, "user">): Promise<RunResult>;
}

function world(): World {
  const next = { draw: 1, day: "monday", sums: true };
  let now = 1000;
  const steps: Record<string, FakeStep> = {
    list: ({ n }) => ({ xs: Array.from({ length: n as number }, (_, i) => i) }),
    fit: ({ x }, spec) => ({ y: x, seed: spec.seed }),
    draw: () => ({ z: next.draw, same: 1 }),
    fetch: () => ({ day: next.day }),
    sum: ({ all, z, day }) => {
      if (!next.sums) throw new Error("no sums today");
      return { total: [all, z, day] };
    },
  };
  const engine = engineFixture(steps, { clock: { ...systemClock, now: () => now++ } });
  const records = new Records(localReadSide(engine.store));
  return {
    engine,
    records,
    next,
    async again(run, changes) {
      const origin = await readOrigin(records, runText(run));
      const repeat = await repeatOf(records, origin, { user: "eve", ...changes });
      const handle = await engine.startPackage(repeat.flowPackage, repeat.request);
      return handle.finished;
    },
  };
}

const begin = ({ engine }: World): Promise<RunResult> =>
  engine.run(FLOW, { params: { n: paramValue(3) }, seed: "5" });

const journalOf = ({ engine }: World, run: RunRef): JournalEntry[] =>
  engine.store.durable.journals.get(runText(run)) ?? [];

test("a rerun has code, parameters, seed and limits of its origin, and says so", async () => {
  const here = world();
  const first = await here.engine.run(FLOW, {
    params: { n: paramValue(3) },
    seed: "5",
    maxTasks: 50,
    noCache: true,
    project: "p",
  });
  const again = await here.again(first.run, { how: "rerun" });
  assert.deepEqual([again.tasks.reused, again.tasks.executed], [6, 1]);
  const started = (await readOrigin(here.records, runText(again.run))).started;
  assert.deepEqual(started.origin, { run: runText(first.run), how: "rerun" });
  assert.deepEqual([started.seed, started.user, started.project], ["5", "eve", "p"]);
  assert.deepEqual(started.options, { maxTasks: 50 });
  const other = await here.again(first.run, { how: "rerun", seed: "6" });
  assert.equal(other.tasks.executed, 7);
  const four = await here.again(first.run, { how: "rerun", params: { n: paramValue(4) } });
  assert.equal(four.tasks.total, 8);
});

test("--from executes that step and all behind it, and no other; an unknown step lists the steps", async () => {
  const here = world();
  const { run } = await begin(here);
  const executed = new Map(here.engine.hosts.executed);
  const result = await here.again(run, { how: "resume", from: "fit" });
  assert.equal(result.tasks.executed, 4);
  for (const task of ["fit[0]", "fit[1]", "fit[2]", "sum"])
    assert.equal(here.engine.hosts.executed.get(task), (executed.get(task) ?? 0) + 1, task);
  await assert.rejects(here.again(run, { how: "resume", from: "fti" }), (error) => {
    assert.ok(isMfError(error, "STEP_UNKNOWN"));
    assert.equal(error.remedy, "It has: list, fit, draw, fetch, sum.");
    return true;
  });
});

test("a resumed run reuses what succeeded, also of steps that are not cached, and results that are not the latest", async () => {
  const here = world();
  here.next.sums = false;
  const failed = await begin(here);
  assert.equal(failed.state, "failed");
  here.next.draw = 2;
  here.next.day = "tuesday";
  await here.engine.run(FLOW, { params: { n: paramValue(3) }, seed: "5", noCache: true });
  here.next.sums = true;
  here.next.day = "wednesday";
  const resumed = await here.again(failed.run, { how: "resume" });
  assert.deepEqual([resumed.state, resumed.tasks.executed], ["succeeded", 1]);
  assert.deepEqual(await here.engine.outputs(resumed.run, "sum"), [
    { total: [[0, 1, 2], 1, "monday"] },
  ]);
});

test("what a resumed run keeps survives a change of its owner, and so do its origin and its forced steps", async () => {
  const here = world();
  here.next.sums = false;
  const failed = await begin(here);
  here.next.sums = true;
  const resumed = await here.again(failed.run, { how: "resume", from: "draw" });
  const journal = journalOf(here, resumed.run);
  const { durable } = here.engine.store;
  // The owner died right after the run had begun.
  durable.journals.set(runText(resumed.run), journal.slice(0, 1));
  here.next.day = "never";
  const hosts = new FakeHosts({
    draw: () => ({ z: 9, same: 1 }),
    sum: ({ z, day }) => ({ total: [z, day] }),
  });
  const second = createEngine({
    store: new FakeStore(durable),
    hosts,
    clock: { ...systemClock, now: () => 900 },
    random: systemRandom,
    logger: silentLogger,
    peer: "second",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
  for (const [key, fact] of durable.facts)
    if (fact.step === "draw" || fact.step === "sum")
      durable.facts.set(key, { ...fact, run: failed.run.id });
  const result = await (await second.resume(resumed.run)).finished;
  assert.equal(result.state, "succeeded");
  assert.deepEqual([...hosts.executed.keys()].sort(), ["draw", "sum"]);
  assert.deepEqual(await here.engine.outputs(resumed.run, "sum"), [{ total: [9, "monday"] }]);
  const { started, summary } = await readOrigin(here.records, runText(resumed.run));
  assert.deepEqual(started.origin, { run: runText(failed.run), how: "resume" });
  assert.deepEqual(summary.origin, started.origin);
  assert.deepEqual(started.options.rerun, ["draw", "sum"]);
});

test("a run that verifies executes everything, names what diverged and how, and leaves its origin as it was", async () => {
  const here = world();
  const origin = await begin(here);
  const before = await here.engine.outputs(origin.run, "draw");
  const known = await readOrigin(here.records, runText(origin.run));
  const made = await madeRun(here.records, known.journal);
  here.next.draw = 2;
  const again = await here.again(origin.run, { how: "verify" });
  assert.equal(again.tasks.executed, again.tasks.total);
  const verification = await verifyRun(here.records, known, {
    before: made,
    run: runText(again.run),
  });
  assert.deepEqual(verification.counts, { identical: 9, different: 2, incomparable: 0 });
  assert.deepEqual(verification.diverged, ["draw"]);
  assert.equal(verification.first?.step, "draw");
  assert.deepEqual(verification.first?.difference, { path: "", before: "1", after: "2" });
  assert.deepEqual(
    verification.findings.map(({ step, artifact, why }) => [step, artifact, why]),
    [
      ["draw", "z", "the same inputs gave another value"],
      ["sum", "total", "its inputs differ"],
    ],
  );
  assert.deepEqual(await here.engine.outputs(origin.run, "draw"), before);
  assert.deepEqual(await here.engine.outputs(again.run, "draw"), [{ z: 2, same: 1 }]);
  const latest = await here.records.side.run("test/latest");
  assert.equal(runText(latest.run), runText(origin.run), "a verifying run is not the latest");
});

test("a run that verifies and is taken over trusts only what its journal has", async () => {
  const here = world();
  const origin = await begin(here);
  const again = await here.again(origin.run, { how: "verify" });
  const { durable } = here.engine.store;
  const journal = journalOf(here, again.run);
  const cut = journal.findIndex((entry) => entry.t === "tasks-succeeded") + 1;
  durable.journals.set(runText(again.run), journal.slice(0, cut));
  const told = journal
    .slice(0, cut)
    .reduce((sum, entry) => sum + (entry.t === "tasks-succeeded" ? entry.tasks.length : 0), 0);
  const executedBefore = here.engine.hosts.executedCount;
  const second = createEngine({
    store: here.engine.store,
    hosts: here.engine.hosts,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "second",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
  const result = await (await second.resume(again.run)).finished;
  assert.equal(result.tasks.executed, again.tasks.total);
  assert.equal(here.engine.hosts.executedCount - executedBefore, again.tasks.total - told);
});

test("a run that goes on is neither resumed nor verified: where it is is said", async () => {
  const here = world();
  const { run } = await begin(here);
  const { summary } = await readOrigin(here.records, runText(run));
  requireEnded({ summary });
  assert.throws(
    () => requireEnded({ summary: { ...summary, state: "running" } }),
    (error) => isMfError(error, "RUN_GOING_ON") && error.message.includes(String(process.pid)),
  );
});

test("a parameter whose value is stored nowhere is missed before the run begins", async () => {
  const here = world();
  const { run } = await begin(here);
  const { started } = await readOrigin(here.records, runText(run));
  const { contents } = here.engine.store.durable;
  for (const id of Object.values(started.params)) contents.delete(id);
  await assert.rejects(here.again(run, { how: "rerun" }), (error) => {
    assert.ok(isMfError(error, "RUN_INCOMPLETE"));
    return error.message.includes("the value of parameter n");
  });
  const given = await here.again(run, { how: "rerun", params: { n: paramValue(3) } });
  assert.equal(given.state, "succeeded");
  contents.delete(started.packageId);
  const later = new Records(localReadSide(here.engine.store));
  await assert.rejects(readOrigin(later, runText(run)), (error) => {
    assert.ok(isMfError(error, "RUN_INCOMPLETE"));
    return error.message.includes("its code");
  });
});

test("versions of other runs stay what they were for the origin, also when the owner changes", async () => {
  let made = 1;
  const other: FlowFixture = { name: "other", steps: [{ name: "make" }] };
  const reader: FlowFixture = {
    steps: [{ name: "read", inputs: { v: { k: "from", pathspec: "other/latest/make.value" } } }],
  };
  const engine = engineFixture({ make: () => ({ value: made }), read: ({ v }) => ({ v }) });
  const records = new Records(localReadSide(engine.store));
  await engine.run(other);
  const { run } = await engine.run(reader);
  made = 2;
  await engine.run(other, { noCache: true });
  const origin = await readOrigin(records, runText(run));
  const { flowPackage, request } = await repeatOf(records, origin, { how: "verify", user: "eve" });
  const again = await (await engine.startPackage(flowPackage, request)).finished;
  assert.deepEqual(await engine.outputs(again.run, "read"), [{ v: 1 }]);
  const journal = engine.store.durable.journals.get(runText(again.run)) ?? [];
  engine.store.durable.journals.set(runText(again.run), journal.slice(0, 1));
  const second = createEngine({
    store: engine.store,
    hosts: engine.hosts,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "second",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
  await (
    await second.resume(again.run)
  ).finished;
  assert.deepEqual(await engine.outputs(again.run, "read"), [{ v: 1 }]);
});

test("a missing Python package is named in the version that the origin had", async () => {
  const here = world();
  const { run } = await begin(here);
  const { journal, flowPackage } = await readOrigin(here.records, runText(run));
  const { durable } = here.engine.store;
  for (const [key, fact] of durable.results)
    durable.results.set(key, { ...fact, env: "python@3.11.7 numpy@1.26.4 odd@?" });
  const steps = { draw: { kind: "python" } } as unknown as typeof flowPackage.steps;
  const missing = new MfError("PYTHON_PACKAGE_MISSING", {
    step: "draw",
    packages: "numpy odd",
    python: "python3",
  });
  const error = await withVersions(missing, here.records, {
    journal,
    flowPackage: { ...flowPackage, steps },
  });
  assert.match(error.remedy, /pip install numpy==1\.26\.4 odd\./);
});

test("what is resumed by the flow's name or as latest is its newest run, succeeded or not, but none that verifies", async () => {
  const here = world();
  const first = await begin(here);
  here.next.sums = false;
  const failed = await here.again(first.run, { how: "rerun", seed: "9" });
  await here.again(first.run, { how: "verify" });
  for (const text of ["test", "test/latest", runText(failed.run)])
    assert.equal(await runToResume(here.records, text), runText(failed.run));
  assert.equal(await runToResume(here.records, "test/ab"), "test/ab");
  await assert.rejects(runToResume(here.records, "nothing"), (error) =>
    isMfError(error, "RUN_NOT_FOUND"),
  );
});
