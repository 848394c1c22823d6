import assert from "node:assert/strict";
import { test } from "node:test";
import type { MarkChange } from "../../../src/client/control/daemon-side.ts";
import { plannedMarks, writeMarks } from "../../../src/client/write-marks.ts";
import type { ErrorCode } from "../../../src/model/error-table.ts";
import { isMfError } from "../../../src/model/errors.ts";
import {
  markKey,
  MARKS_MAX,
  NOTE_CHARS_MAX,
  TAGS_MAX,
  type Mark,
} from "../../../src/model/mark.ts";
import { FakeStore } from "../../support/fake-store.ts";

const RUN = "sweep/k3j9x2m4ab";
const tag = (name: string, value: string | undefined = ""): MarkChange => ({
  kind: "tag",
  on: RUN,
  name,
  user: "ada",
  ...(value === undefined ? {} : { value }),
});
const off = ({ kind, on, name, user }: MarkChange): MarkChange => ({ kind, on, name, user });
const byKey = (marks: readonly Mark[]): Map<string, Mark> =>
  new Map(marks.map((mark) => [markKey(mark), mark]));
const mark = (name: string, at = 1): Mark => ({
  kind: "tag",
  on: RUN,
  name,
  value: "",
  at,
  by: "x",
});

test("a mark comes after what was known of it, also where the clock went back", async () => {
  const store = new FakeStore();
  await writeMarks(store, [tag("best")], { now: 500 });
  const [second] = await writeMarks(store, [off(tag("best"))], { now: 100, peer: "lab1" });
  assert.deepEqual(second, { kind: "tag", on: RUN, name: "best", at: 501, by: "ada@lab1" });
  assert.deepEqual(await store.marks(), [second]);
});

test("what changes nothing is not written", async () => {
  const known = byKey([mark("best")]);
  assert.deepEqual(plannedMarks(known, [tag("best"), off(tag("gone"))], { now: 9 }), []);
});

test("two changes of one mark in one write: the last one counts", () => {
  const marks = plannedMarks(new Map(), [tag("a"), off(tag("a")), tag("a")], { now: 9 });
  assert.deepEqual(
    marks.map(({ value, at }) => [value, at]),
    [["", 11]],
  );
});

test("half a surrogate pair is replaced, for peers would get another text", () => {
  const note: MarkChange = { kind: "note", on: RUN, name: "", value: "a\uD800b", user: "ada" };
  assert.equal(plannedMarks(new Map(), [note], { now: 1 })[0]?.value, "a\uFFFDb");
});

const refused = (code: ErrorCode, changes: readonly MarkChange[], known: readonly Mark[] = []) =>
  assert.throws(
    () => plannedMarks(byKey(known), changes, { now: 1 }),
    (error) => isMfError(error, code),
    code,
  );

test("all changes are refused where one is wrong", async () => {
  const store = new FakeStore();
  await assert.rejects(writeMarks(store, [tag("good"), tag("user:bob")], { now: 1 }));
  assert.deepEqual(await store.marks(), []);
  refused("TAG_INVALID", [tag("a b")]);
  refused("TAG_RESERVED", [tag("state:succeeded")]);
  refused("TAG_RESERVED", [off(tag("user:ada"))]);
  const on = (on: string, kind: MarkChange["kind"] = "note"): MarkChange => {
    return { kind, on, name: "", value: "", user: "ada" };
  };
  for (const text of ["sweep", "sweep/latest", "sweep/@best", `${RUN}/fit`, "c:bafkqzzz"])
    refused("MARK_INVALID", [on(text)]);
  refused("PATHSPEC_INVALID", [on("../x/y")]);
  assert.equal(plannedMarks(new Map(), [on("c:bafkqzzz", "pin")], { now: 1 }).length, 1);
  const long = "x".repeat(NOTE_CHARS_MAX + 1);
  refused("NOTE_TOO_LONG", [{ ...on(RUN), value: long }]);
  refused("MARK_INVALID", [{ ...on(RUN), name: "named" }]);
});

test("a run has so many tags, a mesh so many marks; taking off is always possible", () => {
  const full = Array.from({ length: TAGS_MAX }, (_, i) => mark(`t${i}`));
  refused("TAGS_TOO_MANY", [tag("more")], full);
  assert.equal(plannedMarks(byKey(full), [tag("more"), off(tag("t1"))], { now: 9 }).length, 2);
  const all = Array.from({ length: MARKS_MAX }, (_, i): Mark => {
    return { ...mark("t"), on: `sweep/${i}` };
  });
  refused("MARKS_FULL", [tag("more")], all);
  const last = { ...off(tag("t")), on: `sweep/${MARKS_MAX - 1}` };
  assert.equal(plannedMarks(byKey(all), [last], { now: 9 }).length, 1);
});
