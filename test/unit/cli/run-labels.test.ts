import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { test } from "node:test";
import { checkRunLabels, readRunLabels } from "../../../cli/run-labels.ts";
import { readTagOrder } from "../../../cli/tag-order.ts";
import { readTimeSpan } from "../../../cli/time-span.ts";
import { rootNote, userName } from "../../../src/client/user-name.ts";
import { ownFirst, selectRuns } from "../../../src/client/select-runs.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { RunId } from "../../../src/model/ids.ts";
import type { RunSummary } from "../../../src/model/journal.ts";
import type { Mark } from "../../../src/model/mark.ts";
import { hasTags, marksByRun, runMarks, systemTags } from "../../../src/model/run-tags.ts";
import { SUMMARY } from "../../support/fake-daemon.ts";

const isUsage = (error: unknown): boolean => isMfError(error, "USAGE");
const place = (env: NodeJS.ProcessEnv = {}, project?: string) => ({
  command: "run",
  env: { MF_USER: "ada", ...env },
  project,
});

test("a branch is of a project, and is the user's own where nothing else is said", () => {
  assert.deepEqual(readRunLabels({ tag: ["a", "b", "a"] }, place()), { tags: ["a", "b"] });
  const mine = { tags: [], project: "p", branch: "user.ada" };
  assert.deepEqual(readRunLabels({ project: "p" }, place()), mine);
  assert.deepEqual(readRunLabels({}, place({}, "p")), mine);
  assert.equal(readRunLabels({ project: "q" }, place({}, "p")).project, "q");
  assert.equal(readRunLabels({ project: "p" }, place({ MF_BRANCH: "fix/1" })).branch, "fix/1");
  assert.equal(readRunLabels({ project: "p", branch: "b" }, place({ MF_BRANCH: "c" })).branch, "b");
  assert.equal(readRunLabels({ project: "p", production: true }, place()).branch, "prod");
  // A branch in the environment is no wish for a project.
  assert.deepEqual(readRunLabels({}, place({ MF_BRANCH: "fix/1" })), { tags: [] });
});

test("labels that make no sense are refused", () => {
  assert.throws(() => readRunLabels({ branch: "b" }, place()), isUsage);
  assert.throws(() => readRunLabels({ production: true }, place()), isUsage);
  assert.throws(() => readRunLabels({ project: "a b" }, place()), isUsage);
  assert.throws(() => checkRunLabels({ branch: "b", production: true }, "run"), isUsage);
  assert.throws(
    () => checkRunLabels({ tag: Array.from({ length: 51 }, (_, i) => `t${i}`) }, "run"),
    isUsage,
  );
  assert.throws(
    () => checkRunLabels({ tag: ["user:bob"] }, "run"),
    (error) => isMfError(error, "TAG_RESERVED"),
  );
});

test("the user is MF_USER, else the account, and of a root shell who became root", () => {
  assert.equal(userName({ MF_USER: "ada" }), "ada");
  assert.throws(() => userName({ MF_USER: "a/b" }), isUsage);
  assert.throws(() => userName({ MF_USER: "x".repeat(65) }), isUsage);
  const { username } = userInfo();
  const sudo = userName({ SUDO_USER: "ada" });
  assert.equal(sudo, username === "root" ? "ada" : username);
  assert.equal(rootNote({ MF_USER: "ada" }), undefined);
  assert.equal(rootNote({ MF_USER: "root" }), undefined);
  assert.equal(rootNote({}) !== undefined, username === "root");
});

test("a line of mf tag gives, takes off, replaces or lists, in our words and in Metaflow's", () => {
  const order = (line: string, wish = {}) => readTagOrder(line.split(" ").filter(Boolean), wish);
  const give = { on: "a/1", add: ["x", "y"], remove: [] };
  assert.deepEqual(order("a/1 x y"), give);
  assert.deepEqual(order("add a/1 x y"), give);
  const take = { on: "a/1", add: [], remove: ["x", "y"] };
  assert.deepEqual(order("a/1 x y", { remove: true }), take);
  assert.deepEqual(order("rm a/1 x y"), take);
  const swap = { on: "a/1", add: ["y"], remove: ["x"] };
  assert.deepEqual(order("a/1 y", { replace: ["x"] }), swap);
  assert.deepEqual(order("replace a/1 x y"), swap);
  assert.deepEqual(order("list a/1"), { on: "a/1", add: [], remove: [] });
  assert.deepEqual(order("add"), { on: "add", add: [], remove: [] });
  assert.deepEqual(order(""), { add: [], remove: [] });
  assert.throws(() => order("a x"), isUsage);
  assert.throws(() => order("a/1", { remove: true }), isUsage);
  assert.throws(() => order("a/1", { replace: ["x"] }), isUsage);
  assert.throws(() => order("a/1 x", { replace: ["x"], remove: true }), isUsage);
  assert.throws(() => order("replace a/1 x"), isUsage);
});

test("times of filters are ago, or a day whose beginning or end is meant", () => {
  const span = (text: string) => readTimeSpan("--since", text, { now: 10_000_000, command: "ls" });
  assert.deepEqual(span("1h"), { from: 6_400_000, until: 6_400_000 });
  assert.equal(span("2026-11-23Z").from, Date.UTC(2026, 10, 23));
  assert.equal(span("2026-11-23Z").until, Date.UTC(2026, 10, 24) - 1);
  for (const text of ["", "latest", "@x", "2026-99-99", "abc", "7"])
    assert.throws(() => span(text), isUsage, text);
});

const runOf = (id: string, more: Partial<RunSummary> = {}): RunSummary => ({
  ...SUMMARY,
  run: { flow: "demo", id: id as RunId },
  ...more,
});
const set = (on: string, name: string, more: Partial<Mark> = {}): Mark => {
  return { kind: "tag", on, name, value: "", at: 1, by: "ada", ...more };
};

test("runs are chosen by all that was said of them", () => {
  const one = runOf("1", { user: "ada", project: "p", branch: "prod", createdAt: 10 });
  const two = runOf("2", { user: "bob", state: "failed", createdAt: 20 });
  const { value: _, ...taken } = set("demo/2", "best");
  const marks = marksByRun([set("demo/1", "best"), taken, set("demo/1", "", { kind: "note" })]);
  const ids = (filter: Parameters<typeof selectRuns>[2]): string =>
    selectRuns([two, one], marks, filter)
      .map(({ run }) => run.id)
      .join("");
  assert.equal(ids({}), "21");
  assert.equal(ids({ user: "bob" }), "2");
  assert.equal(ids({ project: "p", branch: "prod" }), "1");
  assert.equal(ids({ branch: "dev" }), "");
  assert.equal(ids({ state: "failed" }), "2");
  assert.equal(ids({ since: 10, until: 19 }), "1");
  assert.equal(ids({ tags: ["best"] }), "1");
  assert.equal(ids({ tags: ["user:ada", "project:p"] }), "1");
  assert.equal(ids({ tags: ["best", "user:bob"] }), "");
  assert.deepEqual(
    ownFirst([two, one], "ada").map(({ run }) => run.id),
    ["1", "2"],
  );
});

test("a run has tags by itself", () => {
  const run = runOf("1", { origin: { run: "demo/0", how: "rerun" }, version: "0.2.0" });
  assert.deepEqual(systemTags(run), [
    "user:ada",
    "flow:demo",
    "version:0.2.0",
    "origin:demo/0",
    "state:running",
  ]);
  const marks = marksByRun([
    set("demo/1", "b"),
    set("demo/1", "a"),
    set("demo/1", "", { kind: "note", value: "why" }),
    set("demo/1", "", { kind: "pin" }),
  ]);
  assert.deepEqual(runMarks(marks, run), { tags: ["a", "b"], note: "why", isPinned: true });
  assert.deepEqual(runMarks(marks, runOf("2")), { tags: [], isPinned: false });
  assert.ok(hasTags(run, marks, ["a", "origin:demo/0"]));
});
