import assert from "node:assert/strict";
import { join, relative, sep } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { safeParts, TakenNames } from "../../../../cli/get/file-names.ts";

test("no name leads out of its directory, whatever it is", () => {
  const piece = fc.oneof(
    fc.constantFrom("..", ".", "", "/", "\\", "\0", "a", "C:", "~", "...", "NUL", "x".repeat(300)),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const parts = safeParts(pieces.join("/"));
      const inside = relative("/out", join("/out", ...parts));
      assert.equal(inside, parts.join(sep));
      for (const part of parts) {
        assert.ok(part !== "" && part !== "." && part !== ".." && !/[\\/\0\p{Cc}]/u.test(part));
        assert.ok(Buffer.byteLength(part) <= 210);
      }
    }),
  );
});

test("harmless names stay as they are", () => {
  for (const name of ["iris.csv", "cats/1.png", ".hidden", "é ü.txt", "a[1](2).csv"])
    assert.equal(safeParts(name).join("/"), name);
  assert.deepEqual(safeParts("../../etc/passwd"), ["_", "_", "etc", "passwd"]);
  assert.deepEqual(safeParts("/etc/passwd"), ["etc", "passwd"]);
  assert.deepEqual(safeParts("con.txt"), ["_con.txt"]);
  assert.deepEqual(safeParts(""), ["_"]);
  assert.ok(safeParts(`${"x".repeat(300)}.csv`)[0]?.endsWith("x.csv"));
});

test("each name is given once, also where a disk does not tell cases apart", () => {
  const names = new TakenNames();
  const take = (name: string): string => names.take(name.split("/")).join("/");
  assert.deepEqual(["a.csv", "A.csv", "a.csv", "a", "a/b", "d/x", "d"].map(take), [
    "a.csv",
    "A-2.csv",
    "a-3.csv",
    "a",
    "a-2/b",
    "d/x",
    "d-2",
  ]);
  for (let i = 0; i < 20_000; i++) names.take(["same.png"]);
  assert.equal(take("same.png"), "same-20001.png");
});
