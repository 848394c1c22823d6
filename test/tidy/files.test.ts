import assert from "node:assert/strict";
import { test } from "node:test";

import {
  groupViolations,
  LINES_MAX,
  nameViolations,
  nounViolations,
  sizeViolations,
  unfinishedViolations,
} from "./file-gate.ts";
import { canary, codeFiles, filesUnder, readText, ROOT } from "./source-tree.ts";

/** The groups as the runner lists them, so that the two cannot drift apart. */
function groups(): readonly string[] {
  const match = /const GROUPS = \[([^\]]*)\]/.exec(readText("scripts/test.mjs"));
  return [...(match?.[1] ?? "").matchAll(/"(\w+)"/g)].map((found) => found[1] ?? "");
}

test("file names are kebab-case nouns", () => {
  assert.deepEqual(nameViolations(codeFiles()), []);
});

test("canary: bad file names are reported", () => {
  assert.deepEqual(nameViolations(canary("files")), [
    "src/model/TaskStates.ts: file names are kebab-case",
    'src/model/graph-node.ts: "node" is a banned noun (see CONTRIBUTING.md)',
    'src/std/utils.ts: "utils" says nothing; name the noun',
  ]);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  assert.deepEqual(sizeViolations(codeFiles()), []);
});

test("canary: a file one line too long is reported", () => {
  const text = "line();\n".repeat(LINES_MAX) + "// free\n\nend\n";
  assert.deepEqual(sizeViolations([{ path: "src/model/long.ts", text }]), [
    `src/model/long.ts: ${LINES_MAX + 1} lines, at most ${LINES_MAX}`,
  ]);
});

test("nothing unfinished is left in code, scripts or documents", () => {
  const documents = ["scripts", "docs", "examples", ".ci"].flatMap((folder) =>
    filesUnder(ROOT, folder),
  );
  assert.deepEqual(unfinishedViolations([...codeFiles(), ...documents]), []);
});

test("canary: unfinished marks are reported with their line", () => {
  assert.deepEqual(unfinishedViolations(canary("words")), [
    `src/model/words.ts:2: ${"FIX" + "ME"} left behind`,
    `src/model/words.ts:5: ${"TO" + "DO"} left behind`,
  ]);
});

test("our words are step, task, attempt, run and peer", () => {
  assert.deepEqual(nounViolations(codeFiles()), []);
});

test("canary: banned nouns are reported in exported names, comments and messages", () => {
  assert.deepEqual(nounViolations(canary("words")), [
    'src/model/words.ts: exported name startNode says "node"',
    'src/model/words.ts:2: says "pipeline"',
    'src/model/words.ts:4: says "job"',
  ]);
});

test("every test file stands in a group of scripts/test.mjs", () => {
  assert.ok(groups().includes("unit"), "the runner's list must be readable");
  assert.deepEqual(groupViolations(codeFiles(), groups()), []);
});

test("canary: a test file outside every group is reported", () => {
  assert.deepEqual(groupViolations(canary("files"), ["tidy", "e2e"]), [
    "test/unit/model/orphan.test.ts: stands in no test group (tidy, e2e)",
  ]);
});
