import assert from "node:assert/strict";
import { test } from "node:test";

import { importCycles, importViolations } from "./import-gate.ts";
import { LAYERS, OWNERS, PLANNED } from "./layers.ts";
import { canary, codeFiles, isThere, readText } from "./source-tree.ts";
import {
  layersWithFiles,
  layerViolations,
  ownerViolations,
  README_LINES_MAX,
  readmeViolations,
} from "./table-gate.ts";

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
  assert.deepEqual(layerViolations(codeFiles(), Object.keys(LAYERS), PLANNED), []);
});

test("canary: a layer without files and a planned layer with files are reported", () => {
  const layers = ["src/model", "src/std", "src/store", "src/task"];
  assert.deepEqual(layerViolations(canary("imports"), layers, ["src/std", "src/store"]), [
    "src/store: has files now; take it out of PLANNED",
    "src/task: has no file; take it out of LAYERS",
  ]);
});

test(`every layer has a README.md of at most ${README_LINES_MAX} lines`, () => {
  const layers = layersWithFiles(codeFiles(), Object.keys(LAYERS));
  assert.ok(layers.length > 10, "the gate must see the layers");
  const read = (file: string): string | undefined => (isThere(file) ? readText(file) : undefined);
  assert.deepEqual(readmeViolations(layers, read), []);
});

test("canary: a layer without README.md and one line too many are reported", () => {
  const layers = layersWithFiles(canary("imports"), Object.keys(LAYERS));
  assert.deepEqual(layers, ["src/model", "src/store"]);
  const long = "line\n".repeat(README_LINES_MAX + 1);
  const read = (file: string): string | undefined =>
    file === "src/store/README.md" ? long : undefined;
  assert.deepEqual(readmeViolations(layers, read), [
    "src/model: has no README.md",
    `src/store/README.md: ${README_LINES_MAX + 1} lines, at most ${README_LINES_MAX}`,
  ]);
  assert.deepEqual(
    readmeViolations(["src/store"], () => "line\n".repeat(README_LINES_MAX)),
    [],
  );
});

test("every dependency of package.json has an owner", () => {
  assert.deepEqual(ownerViolations(readText("package.json"), OWNERS), []);
});

test("canary: a dependency without an owner is reported, whatever it is called", () => {
  const names = ["level", "left-pad", "toString", "@types/node"];
  const dependencies = Object.fromEntries(names.map((name) => [name, "1"]));
  assert.deepEqual(ownerViolations(JSON.stringify({ dependencies }), OWNERS), [
    "left-pad: has no owner in OWNERS",
    "toString: has no owner in OWNERS",
  ]);
});
