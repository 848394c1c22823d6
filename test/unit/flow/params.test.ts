import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { z } from "zod";
import { declareParam, p, readParam } from "../../../src/flow/params.ts";
import type { StandardSchema } from "../../../src/flow/standard-schema.ts";
import { isMfError } from "../../../src/model/errors.ts";

const read = (schema: StandardSchema, text?: string): Promise<unknown> =>
  readParam("f", { declaration: declareParam("x", schema), schema }, text);

test("the kit reads text into its kinds", async () => {
  assert.equal(await read(p.string(), "a"), "a");
  assert.equal(await read(p.number(), " 1e-3 "), 0.001);
  assert.equal(await read(p.flag(), "true"), true);
  assert.equal(await read(p.oneOf(["a", "b"]), "b"), "b");
  assert.deepEqual(await read(p.json(), "[1]"), [1]);
  assert.equal(await read(p.file("x.csv")), "x.csv");
  assert.equal(await read(p.number(0)), 0);
});

test("other schemas are given the text, then what it says as JSON", async () => {
  assert.equal(await read(z.number(), "3"), 3);
  assert.deepEqual(await read(v.array(v.string()), '["a"]'), ["a"]);
  assert.equal(await read(z.string().default("d")), "d");
});

test("a required parameter without a value and a wrong value are told apart", async () => {
  await assert.rejects(read(p.number()), (error) => isMfError(error, "PARAM_MISSING"));
  await assert.rejects(
    read(p.number(), "many"),
    (error) => isMfError(error, "PARAM_INVALID") && /expected a number/.test(error.message),
  );
  await assert.rejects(read(p.oneOf(["a", "b"]), "c"), /one of a, b/);
});

test("declarations carry what people see: default, help and choices, from other libraries too", () => {
  assert.deepEqual(declareParam("k", p.oneOf(["a", "b"], "a", "which")), {
    name: "k",
    kind: "one-of",
    help: "which",
    defaultText: "a",
    choices: ["a", "b"],
  });
  assert.deepEqual(declareParam("k", z.enum(["a", "b"]).describe("which")), {
    name: "k",
    kind: "json",
    help: "which",
    choices: ["a", "b"],
  });
  assert.deepEqual(declareParam("n", v.number()), { name: "n", kind: "json" });
});
