import assert from "node:assert/strict";
import { test } from "node:test";

import { withMap } from "./code-map.ts";
import { filesUnder, isThere, readText, ROOT } from "./source-tree.ts";
import { decisionViolations } from "./table-gate.ts";

/** Addresses of a registry in the lock make an install depend on who wrote it; integrity hashes are what counts. */
function lockAddresses(text: string): readonly string[] {
  return [...text.matchAll(/"resolved":\s*"[^"]*"/g)].map((match) => match[0]);
}

/** Relative links of a page that lead nowhere. */
function deadLinks(
  page: string,
  text: string,
  exists: (file: string) => boolean,
): readonly string[] {
  const folder = page.includes("/") ? page.slice(0, page.lastIndexOf("/") + 1) : "";
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z]+:/.test(target))
    .filter((target) => !exists(folder + target))
    .map((target) => `${page}: ${target}`);
}

test("README's map of the code equals the layer table: run `npm run docs`", () => {
  assert.equal(readText("README.md"), withMap(readText("README.md")));
});

test("canary: a map that lacks a folder is not equal, and lost marks are an error", () => {
  const readme = readText("README.md");
  const poorer = readme.replace(/^\| `src\/store` .*\n/m, "");
  assert.notEqual(poorer, readme);
  assert.notEqual(poorer, withMap(poorer));
  assert.throws(() => withMap("# Meshflow"), /lost the marks/);
});

test("package-lock.json holds no address of a registry", () => {
  assert.deepEqual(lockAddresses(readText("package-lock.json")), []);
});

test("canary: an address in the lock is reported", () => {
  const text = '{ "resolved": "' + "https" + '://example.org/a.tgz" }';
  assert.equal(lockAddresses(text).length, 1);
});

test("links between our documents lead somewhere", () => {
  const pages = [
    ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map((page) => ({
      path: page,
      text: readText(page),
    })),
    ...filesUnder(ROOT, "docs").filter((file) => file.path.endsWith(".md")),
  ];
  assert.deepEqual(
    pages.flatMap((page) => deadLinks(page.path, page.text, isThere)),
    [],
  );
});

test("canary: a dead link is reported", () => {
  assert.deepEqual(
    deadLinks(
      "docs/a.md",
      "[b](b.md) [c](gone.md#x) [d](mailto:a@b)",
      (file) => file === "docs/b.md",
    ),
    ["docs/a.md: gone.md"],
  );
});

test("decisions are numbered from 0001 without a gap", () => {
  const paths = filesUnder(ROOT, "docs/decisions").map((file) => file.path);
  assert.ok(paths.length > 0, "the gate must see the decisions");
  assert.deepEqual(decisionViolations(paths), []);
});

test("canary: a gap, a number given twice and a name without a number are reported", () => {
  const names = ["0001-a", "0003-c", "0003-d", "0004-e", "notes"];
  assert.deepEqual(decisionViolations(names.map((name) => `docs/decisions/${name}.md`)), [
    "docs/decisions/0003-c.md: the next number is 0002",
    "docs/decisions/0003-d.md: the next number is 0004",
    "docs/decisions/notes.md: decisions are named NNNN-title.md",
  ]);
});
