import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf, parseCid } from "../../../src/artifact/cid.ts";
import { encodeManifest } from "../../../src/artifact/manifest.ts";
import { contentCodecOf } from "../../../src/client/content-codec.ts";

test("an id of one piece says its codec itself", () => {
  const data = new Uint8Array([1, 2, 3]);
  for (const codec of ["raw", "messagepack"] as const)
    assert.equal(contentCodecOf(cidOf(codec, data), { inline: data }), codec);
});

test("an id of a manifest is one of either codec, told from where the parts lie", () => {
  const pieces = [new Uint8Array([1, 2]), new Uint8Array([3])];
  const chunks = pieces.map((piece) => ({ id: cidOf("raw", piece), bytes: piece.length }));
  const parts = chunks.map(({ id, bytes }) => {
    const { digest } = parseCid(id);
    return { file: "segment", offset: 0, bytes, digest };
  });
  for (const codec of ["raw", "messagepack"] as const) {
    const { id } = encodeManifest({ v: 1, codec, bytes: 3, chunks });
    assert.equal(contentCodecOf(id, { bytes: 3, parts }), codec);
  }
  const { id } = encodeManifest({ v: 1, codec: "raw", bytes: 3, chunks });
  assert.throws(() => contentCodecOf(id, { bytes: 3, parts: parts.toReversed() }), {
    code: "CONTENT_MISMATCH",
  });
});
