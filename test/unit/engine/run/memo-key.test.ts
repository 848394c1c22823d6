import assert from "node:assert/strict";
import { test } from "node:test";
import { inputId, inputIds, memoKeyOf, seedOf } from "../../../../src/engine/run/memo-key.ts";
import type { InputSource } from "../../../../src/model/fact.ts";
import type { Cid } from "../../../../src/model/ids.ts";

const id = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy" as Cid;
const artifact: InputSource = { k: "artifact", id };

test("golden vectors: a changed key would forget every fact", () => {
  assert.equal(
    seedOf("sweep", "fit", [1, 2], "0"),
    "39384a6b8675365fcb8d6247c8dc9822c9ba1ecca7cf4c461f10ed1cbc66d1a8",
  );
  assert.equal(
    memoKeyOf({ code: "c0de", env: "", inputs: { a: "x", b: "y" }, seed: "s" }),
    "0858bf468fdc3649b55e4f91fd7771cb147cdc92d09ddd357ac787de4849d869",
  );
  assert.equal(
    inputId({ k: "list", items: [artifact, artifact] }),
    "list:790fb547a2268b021a2f42a10e501d1c513ba3377c2a77ff5085a1fd07f2d163",
  );
  assert.equal(
    inputId({ k: "object", fields: { a: artifact } }),
    "object:e92ccb40b503714c2dfa00bd2799f124e582190cace8d5f62684378598963262",
  );
});

test("the same content is the same input, by whatever way it came", () => {
  assert.equal(inputId({ k: "bytes", id, data: new Uint8Array() }), inputId(artifact));
  assert.equal(inputId({ k: "artifact", id, path: [] }), id);
});

test("paths are escaped, so that no two spell alike", () => {
  assert.notEqual(
    inputId({ k: "artifact", id, path: ["a/b"] }),
    inputId({ k: "artifact", id, path: ["a", "b"] }),
  );
});

test("input names count and their order does not", () => {
  const key = (inputs: Record<string, string>): string =>
    memoKeyOf({ code: "c", env: "e", inputs, seed: "s" });
  assert.equal(key({ a: "1", b: "2" }), key({ b: "2", a: "1" }));
  assert.notEqual(key({ a: "1", b: "2" }), key({ a: "2", b: "1" }));
  assert.deepEqual(inputIds({ whole: artifact }), { "*": id });
});

test("every part of the key changes it", () => {
  const base = { code: "c", env: "e", inputs: { a: "1" }, seed: "s", salt: "" };
  const keys = [
    base,
    { ...base, code: "d" },
    { ...base, env: "f" },
    { ...base, inputs: {} },
    { ...base, seed: "t" },
    { ...base, salt: "u" },
  ].map(memoKeyOf);
  assert.equal(new Set(keys).size, keys.length);
});
