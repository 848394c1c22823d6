import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeValue } from "../../../../src/artifact/codec.ts";
import { contentIdOf } from "../../../../src/artifact/content.ts";
import type { RunRequest } from "../../../../src/engine/run-api.ts";
import { runText, taskText, type RunRef } from "../../../../src/model/ids.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import {
  each,
  flowPackage,
  out,
  collect,
  type FlowFixture,
} from "../../../support/engine-fixture.ts";
import type { FakeStep } from "../../../support/fake-hosts.ts";
import { OwnershipMesh } from "../../../support/ownership-mesh.ts";

const COUNT = 24;
const FLOW: FlowFixture = {
  steps: [
    { name: "list" },
    { name: "fit", inputs: { x: each(out("list", "xs")) }, levels: ["fit"] },
    { name: "sum", inputs: { ys: collect(out("fit", "y")) } },
  ],
};
const STEPS: Record<string, FakeStep> = {
  list: () => ({ xs: Array.from({ length: COUNT }, (_, i) => i) }),
  fit: ({ x }) => ({ y: (x as number) * 2 }),
  sum: ({ ys }) => ({ total: (ys as number[]).reduce((a, b) => a + b, 0) }),
};
const TOTAL = COUNT + 2;

function meshOf(...peers: string[]): OwnershipMesh {
  return new OwnershipMesh({ peers, steps: STEPS, batchMs: 400 });
}

async function submit(
  mesh: OwnershipMesh,
  name: string,
  { flow = FLOW, sources = {} }: { flow?: FlowFixture; sources?: RunRequest["sources"] } = {},
): Promise<RunRef> {
  const request: RunRequest = { params: {}, user: "ada", sources };
  const submitted = await mesh.does(mesh.daemon(name).ownership.submit(flowPackage(flow), request));
  assert.equal(submitted.copies, Math.min(3, mesh.daemons.size));
  return submitted.handle.run;
}

function tasks(mesh: OwnershipMesh, name: string, run: RunRef): string[] {
  return mesh
    .journal(name, run)
    .flatMap((entry) => (entry.t === "tasks-succeeded" ? entry.tasks.map(taskText) : []));
}

/** Same journal everywhere, every task once, and the answer is right. */
async function finishes(mesh: OwnershipMesh, run: RunRef): Promise<void> {
  await mesh.until(() => mesh.isSettled(run));
  const [holder = ""] = mesh.holders(run);
  const end = mesh.journal(holder, run).at(-1);
  assert.equal(end?.t === "run-finished" && end.state, "succeeded");
  const done = tasks(mesh, holder, run);
  assert.equal(done.length, TOTAL);
  assert.equal(new Set(done).size, TOTAL);
  for (const name of mesh.holders(run)) {
    const row = mesh.disks.get(name)?.runs.get(runText(run));
    assert.equal(row?.state, "succeeded", `the row of ${name}`);
    const facts = [...(mesh.disks.get(name)?.facts.values() ?? [])];
    assert.ok(facts.filter((fact) => fact.flow !== "").length === TOTAL, `the facts of ${name}`);
  }
}

async function until(mesh: OwnershipMesh, run: RunRef, count: number): Promise<void> {
  const owner = mesh.owners(run)[0] ?? "";
  await mesh.until(() => tasks(mesh, owner, run).length >= count);
}

test("a run that nothing disturbs ends with one journal on its owner and both keepers", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await finishes(mesh, run);
  assert.equal(mesh.holders(run).length, 3);
  await mesh.until(() => mesh.owners(run).length === 0);
});

test("alone, a run has one copy and goes on", async () => {
  const mesh = meshOf("a");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await finishes(mesh, run);
});

test("killed half-way, the owner is replaced by the first keeper, which does nothing again", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  const [first] = keepers(mesh, "a", run);
  mesh.kill("a");
  const killedAt = mesh.world.clock.monotonic();
  await mesh.until(() => mesh.owners(run).length > 0);
  assert.deepEqual(mesh.owners(run), [first]);
  assert.ok(mesh.world.clock.monotonic() - killedAt < 1500);
  await finishes(mesh, run);
  assert.equal(mesh.holders(run).length, 3, "a replacement for the keeper that took over");
});

function keepers(mesh: OwnershipMesh, name: string, run: RunRef): string[] {
  const entry = mesh.journal(name, run).findLast((item) => item.t === "owner-changed");
  return entry?.t === "owner-changed" ? [...entry.keepers] : [];
}

test("owners that die one after another are replaced as long as one peer has a copy", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  for (const count of [5, 10, 15]) {
    await until(mesh, run, count);
    mesh.kill(mesh.owners(run)[0] ?? "");
    await mesh.until(() => mesh.owners(run).length === 1);
  }
  await finishes(mesh, run);
});

test("who takes a run over has the sources it began with", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const x = { k: "source", spec: "file:numbers/" } as const;
  // Too long to travel with the work: it has to be in the store of whoever goes on.
  const { data } = encodeValue(Array.from({ length: COUNT }, (_, i) => `${i}`.padStart(5000)));
  const version = contentIdOf("messagepack", data);
  const run = await submit(mesh, "a", {
    flow: {
      steps: [
        { name: "list" },
        { name: "fit", inputs: { x: each(x), after: out("list", "xs") }, levels: ["fit"] },
        { name: "sum", inputs: { ys: collect(out("fit", "y")), x } },
      ],
    },
    sources: { "file:numbers/": { data, version, files: COUNT, bytes: COUNT } },
  });
  await until(mesh, run, 8);
  mesh.kill("a");
  await finishes(mesh, run);
  const [holder = ""] = mesh.holders(run);
  const [started] = mesh.journal(holder, run);
  assert.equal(
    started?.t === "run-started" && started.sources?.["file:numbers/"]?.version,
    version,
  );
});

test("an owner that comes back before anybody took over asks, and goes on with a higher ballot", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  mesh.kill("a");
  await mesh.does(mesh.start("a"));
  await finishes(mesh, run);
  const owners = mesh
    .journal("b", run)
    .flatMap((entry) => (entry.t === "owner-changed" ? [entry.owner] : []));
  assert.deepEqual(
    owners.map(({ peer, ballot }) => [peer, ballot]),
    [
      ["a", 1],
      ["a", 2],
    ],
  );
});

test("an owner that comes back after a take-over follows its successor", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  mesh.kill("a");
  await mesh.until(() => mesh.owners(run).length === 1);
  const successor = mesh.owners(run);
  await mesh.does(mesh.start("a"));
  await mesh.wait(1000);
  assert.deepEqual(mesh.owners(run), successor);
  assert.equal(mesh.daemon("a").ownership.ownerOf(run)?.peer, successor[0]);
  await finishes(mesh, run);
});

test("cut off from its keepers, an owner is fenced when it is back, and its run is the successor's", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  const handle = mesh.daemon("a").ownership.handle(run);
  mesh.cut("a", "b");
  mesh.cut("a", "c");
  await mesh.until(() => mesh.owners(run).length === 2);
  await mesh.wait(500);
  mesh.heal();
  await mesh.until(() => mesh.owners(run).length < 2);
  assert.ok(!mesh.owners(run).includes("a"));
  await assert.rejects(handle?.finished ?? Promise.resolve(), (error) =>
    isMfError(error, "RUN_MOVED"),
  );
  await finishes(mesh, run);
  assert.equal(mesh.holders(run).length, 3);
});

test("restarted alone, with no keeper to ask, an owner goes on after three seconds", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  for (const name of ["a", "b", "c"]) mesh.kill(name);
  const killedAt = mesh.world.clock.monotonic();
  await mesh.does(mesh.start("a"));
  await mesh.until(() => mesh.owners(run).length === 1);
  const tookMs = mesh.world.clock.monotonic() - killedAt;
  assert.ok(tookMs >= 3000 && tookMs < 4500, `${tookMs} ms`);
  await finishes(mesh, run);
});

test("a keeper that dies is replaced by the next in rank, which is sent everything", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  const [first = ""] = keepers(mesh, "a", run);
  mesh.kill(first);
  await finishes(mesh, run);
  assert.equal(mesh.holders(run).length, 3);
  assert.ok(!keepers(mesh, "a", run).includes(first));
});

test("a run submitted while a keeper dies still gets its copies", async () => {
  const mesh = meshOf("a", "b", "c", "d");
  await mesh.startAll();
  const request = { params: {}, user: "ada" };
  const submitting = mesh.daemon("a").ownership.submit(flowPackage(FLOW), request);
  mesh.kill("c");
  const { handle, copies } = await mesh.does(submitting);
  assert.equal(copies, 3);
  await finishes(mesh, handle.run);
});

test("an owner that is about to stop hands the run over, and what it still runs is not lost", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  const left = await mesh.does(mesh.daemon("a").ownership.handOverAll());
  assert.deepEqual(left, []);
  assert.deepEqual(mesh.owners(run).includes("a"), false);
  assert.equal(mesh.daemon("a").ownership.handle(run), undefined);
  await mesh.until(() => mesh.owners(run).length === 1);
  await finishes(mesh, run);
});

test("with nobody to take it, a run is not given away", async () => {
  const mesh = meshOf("a");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  assert.deepEqual(await mesh.does(mesh.daemon("a").ownership.handOverAll()), [run]);
  await finishes(mesh, run);
});

test("a run that broke off on a full disk goes on when there is room again", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  mesh.full.add("a");
  await mesh.until(() => mesh.daemon("a").ownership.handle(run) === undefined);
  await mesh.wait(7000);
  assert.deepEqual(mesh.owners(run), ["a"]);
  mesh.full.delete("a");
  await finishes(mesh, run);
});

test("a keeper whose disk is full is sent everything once it has room", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  mesh.full.add("b");
  await mesh.wait(4000);
  assert.notDeepEqual(mesh.journal("b", run), mesh.journal("a", run));
  mesh.full.delete("b");
  await finishes(mesh, run);
});

test("a keeper that restarts leaves the run to its owner, although it sees nobody yet", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  mesh.kill("b");
  await mesh.does(mesh.start("b"));
  await finishes(mesh, run);
  const owners = mesh
    .journal("b", run)
    .flatMap((entry) => (entry.t === "owner-changed" ? [entry.owner.ballot] : []));
  assert.ok(owners.every((ballot) => ballot === 1));
});

test("keepers that restart after the owner is gone for good finish the run", async () => {
  const mesh = meshOf("a", "b", "c");
  await mesh.startAll();
  const run = await submit(mesh, "a");
  await until(mesh, run, 8);
  for (const name of ["a", "b", "c"]) mesh.kill(name);
  await mesh.does(mesh.start("b"));
  await mesh.does(mesh.start("c"));
  await finishes(mesh, run);
});
