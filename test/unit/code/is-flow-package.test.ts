import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isFlowPackage } from "../../../src/code/is-flow-package.ts";
import { loadFiles } from "./flow-files.ts";

const FLOW = `import { flow, p } from "meshflow";
const f = flow("f", { n: p.number(1) });
const a = f.step("a", { n: f.params.n }, () => ({ xs: [1] }));
f.step("b", { a }, () => ({ v: 1 }));
export default f;
`;

/** Every place of a package, as a list of keys. */
function places(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => places(item, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  ) as Record<string, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

test("a package is one, also after it was stored; whatever else is stored never throws", async (t) => {
  const { package: flow } = await loadFiles(t, { "flow.ts": FLOW });
  const stored: unknown = JSON.parse(JSON.stringify(flow));
  assert.ok(isFlowPackage(stored));
  const all = places(stored);
  fc.assert(
    fc.property(fc.nat(), fc.jsonValue(), (which, by) => {
      isFlowPackage(replaced(stored, all[which % all.length] ?? [], by));
    }),
  );
  for (const path of [
    ["graph"],
    ["graph", "steps"],
    ["steps", "a"],
    ["graph", "steps", "0", "inputs"],
  ])
    assert.equal(isFlowPackage(replaced(stored, path, 5)), false, path.join("."));
});
