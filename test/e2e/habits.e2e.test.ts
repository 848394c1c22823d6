/** The page of habits is true: every command on it is run. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../cli/package-root.ts";

test("every row of docs/habits.md does what it says", () => {
  const script = join(packageRoot(), "scripts/habits.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /every row as the page says/);
});
