import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cidBytes,
  cidFromBytes,
  cidFromDigest,
  cidOf,
  digestHexOf,
  parseCid,
} from "../../../src/artifact/cid.ts";
import { isMfError } from "../../../src/model/errors.ts";

const hello = new TextEncoder().encode("hello world");

test("a raw id is the one that other tools give", () => {
  const id = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
  assert.equal(cidOf("raw", hello), id);
  assert.deepEqual(parseCid(id), { codec: "raw", digest: digestHexOf(hello) });
});

test("every codec comes back from text and from bytes", () => {
  for (const codec of ["raw", "messagepack", "dag-json"] as const) {
    const id = cidOf(codec, hello);
    assert.equal(parseCid(id).codec, codec);
    assert.equal(cidFromBytes(cidBytes(id)), id);
    assert.equal(cidFromDigest(codec, parseCid(id).digest), id);
  }
});

test("hostile ids are refused by code", () => {
  const id = cidOf("raw", hello);
  const last = id.at(-1) === "e" ? "f" : "e";
  const hostile = ["", "b", "x", id.slice(1), id.toUpperCase(), `${id}a`, id.slice(0, -1)];
  hostile.push(id.slice(0, -1) + last, "b".repeat(10_000), id.replace("k", "1"), "bé", `b${id}`);
  for (const text of hostile) {
    assert.throws(
      () => parseCid(text),
      (error) => isMfError(error, "CONTENT_ID_INVALID"),
      text.slice(0, 80),
    );
  }
});
