import assert from "node:assert/strict";
import { test } from "node:test";

import { API_FILE, exportedNames, renderApi } from "./public-api.ts";
import { readText } from "./source-tree.ts";

test("the public API is the committed list: run `npm run docs` and say it in the CHANGELOG", () => {
  const api = renderApi();
  assert.doesNotMatch(api, /not allowed/);
  assert.equal(readText(API_FILE), api);
});

test("canary: names, type names, renamed names and star exports are all seen", () => {
  const text = [
    'export { flow, each as every, type Flow } from "./flow.ts";',
    'export type { Handle } from "./handle.ts";',
    'export * from "./all.ts";',
    "export const p = {};",
    "// export const hidden = 1;",
  ].join("\n");
  assert.deepEqual(exportedNames(text), [
    "every",
    "flow",
    'not allowed: export * from "./all.ts"',
    "p",
    "type Flow",
    "type Handle",
  ]);
});
