import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeFolder } from "../../../src/std/make-folder.ts";

const root = mkdtempSync(join(tmpdir(), "mf-make-folder-"));
after(() => rmSync(root, { recursive: true, force: true }));

test("a folder and what is missing above it are made, and made again without complaint", () => {
  const folder = join(root, "a", "b", "c");
  makeFolder(folder, 0o700);
  makeFolder(folder, 0o700);
  assert.ok(statSync(folder).isDirectory());
  assert.equal(statSync(join(root, "a")).mode & 0o777, 0o700);
});

test("where a system refuses, its reason comes back", () => {
  writeFileSync(join(root, "file"), "");
  assert.throws(() => makeFolder(join(root, "file", "x")));
  if (existsSync("/proc/self")) assert.throws(() => makeFolder("/proc/nope/x"), { code: "ENOENT" });
});
