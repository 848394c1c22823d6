import assert from "node:assert/strict";
import { test } from "node:test";
import { readRunAddress } from "../../../src/model/run-address.ts";

test("a run is latest, an id, a tag or a time", () => {
  assert.deepEqual(readRunAddress("latest"), { k: "latest" });
  assert.deepEqual(readRunAddress("k3j9"), { k: "id", id: "k3j9" });
  assert.deepEqual(readRunAddress("2026"), { k: "id", id: "2026" });
  assert.deepEqual(readRunAddress("@v1.2"), { k: "tag", tag: "v1.2" });
  assert.deepEqual(readRunAddress("@user:ada"), { k: "tag", tag: "user:ada" });
  const day = Date.UTC(2026, 10, 23);
  const minute = 60_000;
  assert.deepEqual(readRunAddress("2026-11-23Z"), {
    k: "time",
    from: day,
    until: day + 24 * 60 * minute - 1,
  });
  assert.deepEqual(readRunAddress("2026-11-23T14:30Z"), {
    k: "time",
    from: day + 870 * minute,
    until: day + 871 * minute - 1,
  });
  assert.deepEqual(readRunAddress("2024-02-29T23:59:59Z"), {
    k: "time",
    from: Date.UTC(2024, 2, 1) - 1000,
    until: Date.UTC(2024, 2, 1) - 1,
  });
});

test("what is none of these is told in words", () => {
  for (const text of [
    "",
    "@",
    "@a b",
    "@@a",
    "UPPER",
    "2026-02-29",
    "2026-13-01",
    "2026-00-10",
    "2026-11-23T24:00",
    "2026-11-23T14",
    "2026-11-23T14:60Z",
    "2026-11",
    "1969-01-01",
    "2026-11-23z",
    "2026-11-23 14:30",
  ])
    assert.equal(typeof readRunAddress(text), "string", text);
});
