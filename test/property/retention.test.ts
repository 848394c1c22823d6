import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { runsToRemove } from "../../src/client/collection/retention.ts";
import { runText, type RunId } from "../../src/model/ids.ts";
import type { RunState, RunSummary } from "../../src/model/journal.ts";
import type { Mark } from "../../src/model/mark.ts";
import { sampleSummary } from "../../src/testing/conformance/store-samples.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const NOW = 100 * DAY_MS;

const runsArbitrary = fc.uniqueArray(
  fc.record({
    flow: fc.constantFrom("a", "b"),
    id: fc.integer({ min: 0, max: 99 }),
    day: fc.integer({ min: 0, max: 99 }),
    state: fc.constantFrom<RunState>("running", "succeeded", "failed", "cancelled", "waiting"),
    isVerifying: fc.boolean(),
    mark: fc.option(fc.constantFrom<Mark["kind"]>("tag", "pin", "note"), { nil: undefined }),
  }),
  { selector: ({ flow, id }) => `${flow}/${id}`, maxLength: 30 },
);

test("a run stays where any rule keeps it, while it goes on, and where it is tagged or pinned", () => {
  const rules = {
    keep: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    keepDays: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    flow: fc.option(fc.constantFrom("a", "b"), { nil: undefined }),
  };
  fc.assert(
    fc.property(runsArbitrary, fc.record(rules), (given, { keep, keepDays, flow }) => {
      const runs = given.map((row): RunSummary => ({
        ...sampleSummary({ flow: row.flow, id: `${row.id}` as RunId }, row.day * DAY_MS),
        state: row.state,
        ...(row.isVerifying ? { origin: { run: "a/0", how: "verify" as const } } : {}),
      }));
      const marks = given.flatMap(({ flow: of, id, mark: kind }): Mark[] =>
        kind === undefined
          ? []
          : [{ kind, on: `${of}/${id}`, name: "n", value: "", at: 1, by: "u" }],
      );
      const gone = runsToRemove(
        { runs, marks, now: NOW },
        {
          ...(keep === undefined ? {} : { keep }),
          ...(keepDays === undefined ? {} : { keepDays }),
          ...(flow === undefined ? {} : { flow }),
        },
      );
      if (keep === undefined && keepDays === undefined) assert.equal(gone.length, 0);
      for (const { run, state, createdAt, origin } of gone) {
        assert.ok(!["running", "waiting"].includes(state));
        assert.ok(flow === undefined || run.flow === flow);
        assert.ok(!marks.some(({ on, kind }) => on === runText(run) && kind !== "note"));
        assert.ok(NOW - createdAt >= (keepDays ?? 0) * DAY_MS);
        const newer = runs.filter(
          (other) =>
            other.run.flow === run.flow &&
            !["running", "waiting"].includes(other.state) &&
            other.origin?.how !== "verify" &&
            other.createdAt >= createdAt,
        );
        if (origin?.how !== "verify")
          assert.ok(newer.length > (keep ?? 0), "it is none of the newest");
      }
      // Nothing that nothing keeps stays.
      const left = runs.filter(
        (row) => !gone.includes(row) && (flow ?? row.run.flow) === row.run.flow,
      );
      for (const of of ["a", "b"]) {
        const plain = left.filter(
          ({ run, state, createdAt, origin }) =>
            run.flow === of &&
            origin?.how !== "verify" &&
            !["running", "waiting"].includes(state) &&
            !marks.some(({ on, kind }) => on === runText(run) && kind !== "note") &&
            (keepDays === undefined || NOW - createdAt >= keepDays * DAY_MS),
        );
        if (keep !== undefined || keepDays !== undefined) {
          const more = (keep ?? 0) > 0 ? 1 : 0;
          assert.ok(plain.length <= (keep ?? 0) + more, "and the newest that succeeded");
        }
      }
    }),
  );
});

test("a run that only verifies another is none of the newest, and stays as long as that one", () => {
  const row = (id: string, day: number, verifies?: string): RunSummary => ({
    ...sampleSummary({ flow: "a", id: id as RunId }, day * DAY_MS),
    state: "succeeded",
    ...(verifies === undefined ? {} : { origin: { run: `a/${verifies}`, how: "verify" as const } }),
  });
  const runs = [row("1", 1), row("2", 2), row("3", 3, "1"), row("4", 4, "2"), row("5", 5, "gone")];
  const gone = runsToRemove({ runs, marks: [], now: NOW }, { keep: 1 });
  assert.deepEqual(
    gone.map(({ run }) => run.id),
    ["1", "3", "5"],
  );
});

test("what `latest` names stays with --keep 1, also behind runs that failed or only verify", () => {
  const rows: [RunState, "verify" | undefined][] = [
    ["succeeded", undefined],
    ["succeeded", undefined],
    ["failed", undefined],
    ["succeeded", "verify"],
  ];
  const runs = rows.map(([state, how], day): RunSummary => ({
    ...sampleSummary({ flow: "a", id: `r${day}` as RunId }, day * DAY_MS),
    state,
    ...(how === undefined ? {} : { origin: { run: "a/r1", how } }),
  }));
  const goneOf = (keep: number): string[] =>
    runsToRemove({ runs, marks: [], now: NOW }, { keep }).map(({ run }) => run.id);
  assert.deepEqual(goneOf(1), ["r0"]);
  assert.deepEqual(goneOf(0), ["r0", "r1", "r2", "r3"]);
});
