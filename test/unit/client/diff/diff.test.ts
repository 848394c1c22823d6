import assert from "node:assert/strict";
import { test } from "node:test";
import { localReadSide } from "../../../../src/client/control/local-read-side.ts";
import { diff } from "../../../../src/client/diff/diff.ts";
import type { DiffReport } from "../../../../src/client/diff/diff-report.ts";
import { Records } from "../../../../src/client/records.ts";
import type { ErrorCode } from "../../../../src/model/error-table.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { runText } from "../../../../src/model/ids.ts";
import {
  each,
  engineFixture,
  out,
  param,
  paramValue,
  type FlowFixture,
} from "../../../support/engine-fixture.ts";

const flow = (code = "fit"): FlowFixture => ({
  params: ["n"],
  steps: [
    { name: "load", inputs: { n: param("n") } },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"], code },
  ],
});

async function runs(): Promise<{
  readonly compare: (a: string, b: string, more?: object) => Promise<DiffReport>;
  readonly ids: readonly string[];
}> {
  const engine = engineFixture({
    load: ({ n }) => ({ list: [1, n], text: "same" }),
    fit: ({ i }) => ({ v: (i as number) * 2, at: new Date(0) }),
  });
  const ids: string[] = [];
  for (const [n, code] of [
    [2, "fit"],
    [2, "fit"],
    [3, "fit2"],
  ] as const)
    ids.push(runText((await engine.run(flow(code), { params: { n: paramValue(n) } })).run));
  const records = new Records(localReadSide(engine.store));
  // The fixture's engine keeps no package: code is compared by its id, then read.
  return { ids, compare: (a, b, more) => diff(records, [a, b], more) };
}

const told = (report: DiffReport): string[] =>
  report.sections.flatMap(({ name, items }) =>
    items.map((item) => `${name} ${item.name} ${item.change}`),
  );

test("a run and the same again are equal, and so is a run and itself", async () => {
  const { compare, ids } = await runs();
  for (const other of [ids[0], ids[1]]) {
    const report = await compare(ids[0] ?? "", other ?? "");
    assert.ok(report.same);
    assert.deepEqual(told(report), []);
    assert.equal(report.sections.find(({ name }) => name === "artifacts")?.same, 6);
  }
});

test("parameters, code and artifacts that differ are told with their values, in the order of the flow", async () => {
  const { compare, ids } = await runs();
  const report = await compare(ids[0] ?? "", ids[2] ?? "");
  assert.equal(report.same, false);
  assert.deepEqual(told(report), [
    "parameters n changed",
    "code fit changed",
    "artifacts load/list changed",
    "artifacts fit[1]/v changed",
  ]);
  const last = report.sections.at(-1)?.items.at(-1);
  assert.equal(last?.summary, "4 → 6 (+2, +50 %)");
  const one = await compare(ids[0] ?? "", ids[2] ?? "", { step: "load" });
  assert.deepEqual(told(one), ["artifacts load/list changed"]);
  const all = await compare(ids[0] ?? "", ids[2] ?? "", { step: "load", all: true });
  assert.ok(told(all).includes("artifacts load/text same"));
});

test("tasks are compared by their inputs and what they made, artifacts by value", async () => {
  const { compare, ids } = await runs();
  const [first] = ids;
  const tasks = await compare(`${first}/fit[0]`, `${first}/fit[1]`);
  assert.deepEqual(told(tasks), ["inputs i changed", "artifacts v changed"]);
  const values = await compare(`${first}/load/list`, `${ids[2]}/load/list`);
  assert.match(values.sections[0]?.items[0]?.summary ?? "", /1 of 2 changed/);
  const every = await compare(`${first}/fit/v`, `${ids[2]}/fit/v`);
  assert.deepEqual(told(every), ["value fit[1]/v changed"]);
  const part = await compare(`${first}/load/list.0`, `${ids[2]}/load/list.0`);
  assert.ok(part.same, "the parts are equal where the wholes are not");
});

for (const [a, b, code] of [
  ["test", "test", "PATHSPEC_INVALID"],
  ["test/latest", "test/latest/load/list", "PATHSPEC_INVALID"],
  ["test/latest/nothing", "test/latest/load", "PATHSPEC_NOT_FOUND"],
  ["test/zzz", "test/latest", "RUN_NOT_FOUND"],
  ["test/latest/load/none", "test/latest/load/list", "PATHSPEC_NOT_FOUND"],
] as const satisfies readonly (readonly [string, string, ErrorCode])[]) {
  test(`${a} and ${b}: ${code}`, async () => {
    const { compare } = await runs();
    await assert.rejects(compare(a, b), (error) => isMfError(error, code));
  });
}

test("a step that neither run has is no difference but an error", async () => {
  const { compare } = await runs();
  await assert.rejects(compare("test/latest", "test/latest", { step: "none" }), (error) =>
    isMfError(error, "PATHSPEC_NOT_FOUND"),
  );
});
