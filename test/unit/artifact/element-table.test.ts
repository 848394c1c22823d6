import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import { decodeValue, encodeValue } from "../../../src/artifact/codec.ts";
import {
  decodeElementTable,
  elementBody,
  elementId,
  encodeElementTable,
} from "../../../src/artifact/element-table.ts";
import { isMfError } from "../../../src/model/errors.ts";

test("elements have the id of their own content, wherever they stand", () => {
  const big = "x".repeat(20_000);
  const { data, large } = encodeElementTable([1, big, { a: 2 }, undefined]);
  const table = decodeElementTable(data);
  assert.equal(table.count, 4);
  assert.equal(elementId(table, 2), cidOf("messagepack", encodeValue({ a: 2 }).data));
  assert.deepEqual(decodeValue(elementBody(table, 2) ?? new Uint8Array()), { a: 2 });
  assert.equal(decodeValue(elementBody(table, 3) ?? new Uint8Array()), undefined);
  assert.equal(elementBody(table, 1), undefined);
  assert.deepEqual(
    large.map((item) => item.id),
    [elementId(table, 1)],
  );
});

test("an empty list, a typed array and a Set are lists", () => {
  assert.equal(decodeElementTable(encodeElementTable([]).data).count, 0);
  const a = encodeElementTable(Float64Array.of(1, 2)).table;
  const b = encodeElementTable(new Set([1, 2])).table;
  assert.deepEqual(a, b);
});

test("an element that cannot be stored is named by its place", () => {
  assert.throws(
    () => encodeElementTable([1, { f: () => 1 }], { step: "load", name: "lrs" }),
    (error) => isMfError(error) && error.details["path"] === "lrs[1].f",
  );
});

test("a table that does not add up is refused", () => {
  const { table } = encodeElementTable([1, 2, 3]);
  for (const wrong of [{ count: 2 }, { bodies: new Uint8Array(1) }, { ids: new Uint8Array(9) }]) {
    assert.throws(
      () => decodeElementTable(encodeValue({ ...table, ...wrong }).data),
      (error) => isMfError(error, "CONTENT_MALFORMED"),
    );
  }
});
