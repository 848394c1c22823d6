import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeNpy } from "../../../src/artifact/npy.ts";
import { withShape, type TypedArray } from "../../../src/artifact/typed-array.ts";
import { isMfError } from "../../../src/model/errors.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-npy-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const python = process.env["MF_PYTHON"] ?? "python3";

const arrays: readonly (readonly [dtype: string, shape: readonly number[], value: TypedArray])[] = [
  ["int8", [3], Int8Array.of(-128, 0, 127)],
  ["uint8", [2], Uint8Array.of(0, 255)],
  ["uint8", [2], Uint8ClampedArray.of(7, 255)],
  ["int16", [2], Int16Array.of(-32_768, 32_767)],
  ["uint16", [1], Uint16Array.of(65_535)],
  ["int32", [2], Int32Array.of(-2_147_483_648, 5)],
  ["uint32", [1], Uint32Array.of(4_294_967_295)],
  ["float32", [2], Float32Array.of(0.5, -3)],
  ["float64", [2, 3], withShape(Float64Array.of(1, 2, 3, 4, 5, 6.25), [2, 3])],
  ["float64", [], withShape(Float64Array.of(42), [])],
  ["float64", [0], new Float64Array(0)],
  ["float64", [2, 1, 2], withShape(Float64Array.of(1, 2, 3, 4), [2, 1, 2])],
  ["int64", [1], BigInt64Array.of(-9_007_199_254_740_993n)],
  ["uint64", [1], BigUint64Array.of(18_446_744_073_709_551_615n)],
  ["float64", [2], new Float64Array(Float64Array.of(9, 8, 7).buffer, 8, 2)],
];

test("the header is version 1.0 and the data begins at a multiple of 64", () => {
  for (const [, , value] of arrays) {
    const file = Buffer.from(encodeNpy(value));
    assert.equal(file.toString("latin1", 0, 8), "\u0093NUMPY\u0001\u0000");
    const start = 10 + file.readUInt16LE(8);
    assert.equal(start % 64, 0);
    assert.equal(file[start - 1], 0x0a);
    assert.equal(file.length - start, value.byteLength);
  }
});

test("numpy reads what is written: dtype, shape and every element", (t) => {
  if (spawnSync(python, ["-c", "import numpy"]).status !== 0) {
    return t.skip(`${python} has no numpy`);
  }
  for (const [i, [, , value]] of arrays.entries()) {
    writeFileSync(join(dir, `${i}.npy`), encodeNpy(value));
  }
  const script = [
    "import json, sys, numpy as np",
    "files = [np.load(f'{sys.argv[1]}/{i}.npy') for i in range(int(sys.argv[2]))]",
    "print(json.dumps([[str(a.dtype), list(a.shape), [str(x) for x in a.ravel().tolist()]] for a in files]))",
  ].join("\n");
  const args = ["-c", script, dir, String(arrays.length)];
  const done = spawnSync(python, args, { encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  const seen = JSON.parse(done.stdout) as [string, number[], string[]][];
  for (const [i, [dtype, shape, value]] of arrays.entries()) {
    const [seenType, seenShape, elements] = seen[i] ?? ["", [], []];
    assert.deepEqual([seenType, seenShape], [dtype, shape]);
    const isBig = typeof value[0] === "bigint";
    const read = elements.map((text) => (isBig ? BigInt(text) : Number(text)));
    assert.deepEqual(read, [...value]);
  }
});

test("lists of numbers, as deep as they go, are written as the array they are", () => {
  const same: readonly (readonly [unknown, TypedArray])[] = [
    [[1, 2.5], Float64Array.of(1, 2.5)],
    [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      withShape(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
    ],
    [[[[1], [2]]], withShape(Float64Array.of(1, 2), [1, 2, 1])],
    [[1n, -2n], BigInt64Array.of(1n, -2n)],
    [[Int8Array.of(1, 2), Int8Array.of(3, 4)], withShape(Int8Array.of(1, 2, 3, 4), [2, 2])],
    [[], new Float64Array(0)],
    [[[], []], withShape(new Float64Array(0), [2, 0])],
  ];
  for (const [list, array] of same) assert.deepEqual(encodeNpy(list), encodeNpy(array));
});

test("what is no array of numbers is refused", () => {
  const deep: unknown = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner], 1);
  const wrong = [
    "text",
    null,
    5,
    new DataView(new ArrayBuffer(8)),
    [1, "2"],
    [1, 2n],
    [[1], [2, 3]],
    [[1], 2],
    [2n ** 63n],
    [Int8Array.of(1), Int16Array.of(1)],
    [Int8Array.of(1), Int8Array.of(1, 2)],
    [null],
    deep,
  ];
  for (const value of wrong) {
    assert.throws(
      () => encodeNpy(value),
      (error) => isMfError(error, "FORMAT_UNSUPPORTED"),
    );
  }
});
