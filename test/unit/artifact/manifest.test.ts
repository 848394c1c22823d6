import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import { decodeManifest, encodeManifest, type Manifest } from "../../../src/artifact/manifest.ts";
import { isMfError } from "../../../src/model/errors.ts";

const chunk = (n: number): { id: ReturnType<typeof cidOf>; bytes: number } => {
  return { id: cidOf("raw", Uint8Array.of(n)), bytes: n };
};
const manifest: Manifest = { v: 1, codec: "raw", bytes: 6, chunks: [chunk(1), chunk(2), chunk(3)] };
const text = new TextDecoder().decode(encodeManifest(manifest).data);

test("a manifest is read back, and its id is that of its bytes", () => {
  const { id, data } = encodeManifest(manifest);
  assert.deepEqual(decodeManifest(data), manifest);
  assert.equal(id, cidOf("dag-json", data));
});

test("a manifest is canonical dag-json: sorted keys, no blanks, links alone in their object", () => {
  const [first] = manifest.chunks;
  assert.ok(text.startsWith(`{"bytes":6,"chunks":[{"bytes":1,"id":{"/":"${first?.id}"}},`));
  assert.ok(text.endsWith(`],"codec":"raw","v":1}`));
});

test("anything else is malformed, never a guess", () => {
  const wrong: readonly (readonly [string, string | Uint8Array])[] = [
    ["not text", Uint8Array.of(0xff, 0xfe)],
    ["not JSON", "{"],
    ["null", "null"],
    ["no object", "[]"],
    ["another version", text.replace('"v":1', '"v":2')],
    ["another codec", text.replace('"raw"', '"dag-json"')],
    ["a wrong sum", text.replace('"bytes":6', '"bytes":7')],
    ["a negative length", text.replace('"bytes":1,', '"bytes":-1,').replace("6", "4")],
    [
      "a chunk beyond its limit",
      text.replace('"bytes":3,', '"bytes":4194305,').replace("6", "4194308"),
    ],
    ["an empty chunk", text.replace('"bytes":1,', '"bytes":0,').replace("6", "5")],
    ["a blank", text.replace(",", ", ")],
    ["another key", text.replace('"v":1', '"v":1,"w":1')],
    ["a key twice", text.replace('"v":1', '"v":1,"v":1')],
    ["a chunk that is no object", '{"bytes":0,"chunks":[null],"codec":"raw","v":1}'],
    ["a chunk that is cut again", text.replace(chunk(1).id, cidOf("dag-json", Uint8Array.of(1)))],
  ];
  for (const [what, data] of wrong) {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    assert.throws(
      () => decodeManifest(bytes),
      (error) => isMfError(error, "CONTENT_MALFORMED"),
      what,
    );
  }
});
