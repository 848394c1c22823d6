/** Runs that repeat others, whose owner dies: the next one goes on with the same forced steps, kept results and origin. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeValue } from "../../../../src/artifact/codec.ts";
import type { RunRequest } from "../../../../src/engine/run-api.ts";
import { runText, type RunRef } from "../../../../src/model/ids.ts";
import type { JournalEntry, KnownResult } from "../../../../src/model/journal.ts";
import {
  collect,
  each,
  flowPackage,
  out,
  type FlowFixture,
} from "../../../support/engine-fixture.ts";
import { OwnershipMesh } from "../../../support/ownership-mesh.ts";

const COUNT = 24;
const FLOW: FlowFixture = {
  steps: [
    { name: "list" },
    { name: "fetch", options: { cache: { enabled: false } } },
    { name: "fit", inputs: { x: each(out("list", "xs")) }, levels: ["fit"] },
    { name: "sum", inputs: { ys: collect(out("fit", "y")), day: out("fetch", "day") } },
  ],
};

/** Steps that do not repeat: each value carries the generation in which it was made. */
function meshOf(generation: () => number): OwnershipMesh {
  return new OwnershipMesh({
    peers: ["a", "b", "c", "d"],
    batchMs: 400,
    steps: {
      list: () => ({ xs: Array.from({ length: COUNT }, (_, i) => i) }),
      fetch: () => ({ day: generation() }),
      fit: () => ({ y: generation() }),
      sum: ({ ys, day }) => ({ made: [...new Set(ys as number[])], day }),
    },
  });
}

async function ends(mesh: OwnershipMesh, run: RunRef): Promise<readonly JournalEntry[]> {
  await mesh.until(() => mesh.isSettled(run));
  return mesh.journal(mesh.holders(run)[0] ?? "", run);
}

async function submit(mesh: OwnershipMesh, more: Partial<RunRequest> = {}): Promise<RunRef> {
  const request = { params: {}, user: "ada", ...more };
  const { handle } = await mesh.does(mesh.daemon("a").ownership.submit(flowPackage(FLOW), request));
  return handle.run;
}

const results = (journal: readonly JournalEntry[], step: string): KnownResult[] =>
  journal.flatMap((entry) =>
    entry.t === "tasks-succeeded"
      ? entry.tasks.flatMap(({ step: name, memoKey, result }) =>
          name === step && result !== undefined ? [{ memoKey, result }] : [],
        )
      : [],
  );

/** Runs it twice: as it is, and with `more` in another generation, in the middle of which the owner dies. */
async function repeated(
  more: (first: readonly JournalEntry[], run: RunRef) => Partial<RunRequest>,
): Promise<{
  readonly made: unknown;
  readonly first: RunRef;
  readonly journal: readonly JournalEntry[];
}> {
  let generation = 1;
  const mesh = meshOf(() => generation);
  await mesh.startAll();
  const first = await submit(mesh);
  const before = await ends(mesh, first);
  generation = 2;
  const run = await submit(mesh, more(before, first));
  const fits = (): number => results(mesh.journal("a", run), "fit").length;
  await mesh.until(() => fits() >= 6);
  assert.ok(fits() < COUNT, "the owner dies in the middle");
  mesh.kill("a");
  const journal = await ends(mesh, run);
  const [sum] = results(journal, "sum");
  const holder = mesh.holders(run)[0] ?? "";
  const [fact] = await mesh.daemon(holder).store.getResults(sum === undefined ? [] : [sum]);
  const entries = Object.entries(fact?.outputs ?? {}).map(async ([name, { id }]) => [
    name,
    await mesh.daemon(holder).store.read(id),
  ]);
  const made = Object.fromEntries(
    (await mesh.does(Promise.all(entries))).map(([name, data]) => [
      name,
      decodeValue(data as Uint8Array),
    ]),
  ) as unknown;
  return { made, first, journal };
}

test("forced steps stay forced, and kept results kept, when the next owner goes on", async () => {
  const { made, first, journal } = await repeated((before, run) => ({
    rerun: ["fit", "sum"],
    results: results(before, "fetch"),
    origin: { run: runText(run), how: "resume" },
  }));
  assert.deepEqual(made, { made: [2], day: 1 });
  const [started] = journal;
  assert.ok(started?.t === "run-started");
  assert.deepEqual(started.origin, { run: runText(first), how: "resume" });
  assert.deepEqual(started.options.rerun, ["fit", "sum"]);
  assert.equal(started.options.results?.length, 1);
});

test("a run that verifies is made of its own results only, whoever owns it", async () => {
  const { made, journal } = await repeated((_, run) => ({
    noCache: true,
    origin: { run: runText(run), how: "verify" },
  }));
  assert.deepEqual(made, { made: [2], day: 2 });
  const reused = journal.flatMap((entry) =>
    entry.t === "tasks-succeeded" ? entry.tasks.filter(({ attempt }) => attempt === undefined) : [],
  );
  assert.deepEqual(reused, []);
});
