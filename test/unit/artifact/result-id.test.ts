import assert from "node:assert/strict";
import { test } from "node:test";
import { resultIdOf } from "../../../src/artifact/result-id.ts";
import type { ArtifactRef, Fact } from "../../../src/model/fact.ts";
import type { Cid } from "../../../src/model/ids.ts";

const ref = (id: string, kind = "number"): ArtifactRef => ({ id: id as Cid, bytes: 1, kind });
const result = (outputs: Fact["outputs"]): string => resultIdOf({ outputs });

test("a result's id is that of its outputs' names and ids: golden vectors", () => {
  assert.equal(result({}), "538858535867fca3e2fe6385d6084487");
  assert.equal(result({ b: ref("bafy"), a: ref("bafx") }), "28e21a062e45d38166e2cca11e04686d");
});

test("neither order nor kind matter, names and ids do", () => {
  const a = result({ x: ref("bafx"), y: ref("bafy") });
  assert.equal(result({ y: ref("bafy", "array[1]"), x: ref("bafx") }), a);
  assert.notEqual(result({ x: ref("bafy"), y: ref("bafx") }), a);
  assert.notEqual(result({ x: ref("bafx") }), a);
});
