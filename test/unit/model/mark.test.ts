import assert from "node:assert/strict";
import { test } from "node:test";
import { isMfError } from "../../../src/model/errors.ts";
import { checkTag, isSet, latestMarks, markKey, type Mark } from "../../../src/model/mark.ts";

const mark = (at: number, by: string, value?: string): Mark => ({
  kind: "tag",
  on: "sweep/1",
  name: "best",
  at,
  by,
  ...(value === undefined ? {} : { value }),
});

test("of any order of the same writes the same one counts", () => {
  const writes = [mark(2, "ada", ""), mark(2, "bob"), mark(1, "cyd", ""), mark(2, "bob", "")];
  for (let turn = 0; turn < writes.length; turn++) {
    writes.push(writes.shift() as Mark);
    const [counted] = latestMarks(writes).values();
    assert.equal(counted?.by, "bob");
    assert.equal(counted?.at, 2);
  }
});

test("keys of different marks differ, whatever their names are", () => {
  const keys = [
    markKey({ kind: "tag", on: "a/1", name: "x!y" }),
    markKey({ kind: "tag", on: "a/1!x", name: "y" }),
    markKey({ kind: "note", on: "a/1", name: "" }),
    markKey({ kind: "pin", on: "a/1", name: "" }),
  ];
  assert.equal(new Set(keys).size, keys.length);
});

test("a mark without a value is taken off", () => {
  assert.equal(isSet(mark(1, "ada", "")), true);
  assert.equal(isSet(mark(1, "ada")), false);
});

test("tags are words", () => {
  for (const tag of ["best", "v1.2-rc", "day:monday", "größe"]) assert.equal(checkTag(tag), tag);
  for (const tag of ["", "a b", "a/b", "@a", "a!b", "a\n", "x".repeat(501)])
    assert.throws(
      () => checkTag(tag),
      (error) => isMfError(error, "TAG_INVALID"),
      JSON.stringify(tag),
    );
});
