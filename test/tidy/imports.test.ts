import assert from "node:assert/strict";
import { test } from "node:test";

import { importCycles, importViolations, layerOf } from "./import-gate.ts";
import { LAYERS, OWNERS, PLANNED } from "./layers.ts";
import { canary, codeFiles, isThere, readText } from "./source-tree.ts";

test("every import follows the layer table and the owners of packages", (context) => {
  const files = codeFiles();
  context.diagnostic(`${files.length} files read`);
  assert.ok(files.length > 20, "the gate must see the tree");
  assert.deepEqual(importViolations(files), []);
});

test("canary: upward, unowned, foreign-owned, type-only, dynamic and multi-line imports are reported", () => {
  assert.deepEqual(importViolations(canary("imports")), [
    "src/model/upward.ts: src/model may not import src/engine",
    "src/model/upward.ts: src/model may not import src/flow",
    "src/model/upward.ts: src/model may not import src/store",
    "src/nowhere/lost.ts: its folder is not in LAYERS",
    "src/store/packages.ts: imports left-pad, which has no owner in OWNERS",
    "src/store/packages.ts: only cli and daemon may import commander",
    "src/store/packages.ts: cli/main.ts is an entry point; nothing imports it",
  ]);
});

test("no import cycle, type-only imports included", () => {
  assert.deepEqual(importCycles(codeFiles()), []);
});

test("canary: a cycle of type-only imports is reported", () => {
  assert.deepEqual(importCycles(canary("cycles")), [
    "src/model/day.ts -> src/model/night.ts -> src/model/day.ts",
  ]);
});

test("every layer has files, or is planned", () => {
  const seen = new Set(codeFiles().map((file) => layerOf(file.path)));
  const empty = Object.keys(LAYERS).filter((layer) => !seen.has(layer));
  assert.deepEqual(
    empty.filter((layer) => !PLANNED.includes(layer)),
    [],
    "a layer with no file is a stale table",
  );
  assert.deepEqual(
    PLANNED.filter((layer) => seen.has(layer)),
    [],
    "this layer has files now: take it out of PLANNED",
  );
});

test("every layer has a README.md of at most 80 lines", () => {
  const seen = new Set(codeFiles().map((file) => layerOf(file.path)));
  const needed = Object.keys(LAYERS).filter((layer) => seen.has(layer));
  const missing = needed.filter((layer) => !isThere(`${layer}/README.md`));
  assert.deepEqual(missing, []);
  const long = needed.filter((layer) => readText(`${layer}/README.md`).split("\n").length > 81);
  assert.deepEqual(long, []);
});

test("every dependency of package.json has an owner", () => {
  const manifest = JSON.parse(readText("package.json")) as { dependencies: Record<string, string> };
  const names = Object.keys(manifest.dependencies).filter((name) => !name.startsWith("@types/"));
  assert.deepEqual(
    names.filter((name) => OWNERS[name] === undefined),
    [],
  );
});
