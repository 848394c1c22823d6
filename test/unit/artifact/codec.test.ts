import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { decodeValue, encodeValue, kindOf } from "../../../src/artifact/codec.ts";
import { FILE_BRAND } from "../../../src/artifact/file-brand.ts";
import { withShape } from "../../../src/artifact/typed-array.ts";
import { isMfError } from "../../../src/model/errors.ts";

const roundTrip = (value: unknown): unknown => decodeValue(encodeValue(value).data);

test("every kind of value comes back as it was", () => {
  const values: unknown[] = [null, undefined, true, false, 0, -0, NaN, Infinity, -Infinity, 1.5];
  values.push(127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -32, -33, -128);
  values.push(-129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, Number.MIN_VALUE);
  values.push(0n, -1n, 2n ** 64n, -(2n ** 300n), "", "a", "é".repeat(40), "x".repeat(70_000));
  values.push("\ud800 alone", "👍", [], [1, [2, [3]]], {}, { a: { b: undefined } });
  values.push(new Map<unknown, unknown>([[{ k: 1 }, new Set([1, "2"])]]), new Set(), new Map());
  values.push(new Date(0), new Date(-1), Uint8Array.of(1, 2), new ArrayBuffer(3));
  values.push(new DataView(new ArrayBuffer(5)), { "\ud800": 1 });
  for (const value of values) assert.deepEqual(roundTrip(value), value);
  for (const make of [Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array]) {
    assert.deepEqual(roundTrip([1, make.of(1, 2, 3)]), [1, make.of(1, 2, 3)]);
  }
  for (const make of [Uint32Array, Float32Array, Float64Array]) {
    assert.deepEqual(roundTrip(["abc", make.of(1, 2, 3)]), ["abc", make.of(1, 2, 3)]);
  }
  assert.deepEqual(roundTrip(BigInt64Array.of(-1n)), BigInt64Array.of(-1n));
  assert.deepEqual(roundTrip(BigUint64Array.of(1n)), BigUint64Array.of(1n));
  assert.ok(Number.isNaN((roundTrip(new Date(NaN)) as Date).getTime()));
  assert.deepEqual(roundTrip(Buffer.from("ab")), Uint8Array.of(97, 98));
});

test("dangerous keys are ordinary keys", () => {
  const value: unknown = JSON.parse('{"__proto__":{"x":1},"constructor":2,"toString":3,"b":4}');
  const back = roundTrip(value) as object;
  assert.deepEqual(Object.entries(back), Object.entries(value as object));
  assert.equal(Object.getPrototypeOf(back), Object.prototype);
  assert.equal(({} as { x?: number }).x, undefined);
});

test("objects of another context and without a prototype are plain objects", () => {
  assert.deepEqual(roundTrip(runInNewContext("({ a: [1], m: new Map([[1, 2]]) })")), {
    a: [1],
    m: new Map([[1, 2]]),
  });
  assert.deepEqual(roundTrip(Object.assign(Object.create(null), { a: 1 })), { a: 1 });
});

test("a numpy array keeps its shape", () => {
  const array = withShape(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const back = roundTrip({ array }) as { array: Float64Array & { shape: number[] } };
  assert.deepEqual(back.array.shape, [2, 3]);
  assert.equal(kindOf(array), "Float64Array[2x3]");
});

test("a file travels as a reference and is rebuilt by the caller", () => {
  const file = { id: "bafk", name: "iris.csv", size: 4, [FILE_BRAND]: true };
  const { data, kind } = encodeValue({ file });
  assert.equal(kind, "object{1}");
  assert.equal(kindOf(file), "file iris.csv");
  assert.deepEqual(decodeValue(data, { file: (info) => ({ ...info, mine: true }) }), {
    file: { id: "bafk", name: "iris.csv", size: 4, mine: true },
  });
  assert.equal(kindOf((decodeValue(data) as { file: object }).file), "file iris.csv");
});

test("what cannot be stored is refused with its path", () => {
  class Layer {
    readonly size = 1;
  }
  const cycle: { deep: { back?: unknown } } = { deep: {} };
  cycle.deep.back = cycle;
  const deep: unknown[] = [];
  let inner = deep;
  for (let i = 0; i < 600; i++) inner.push((inner = []));
  const cases: [unknown, string, RegExp][] = [
    [{ layers: [0, { activate: (): number => 1 }] }, "model.layers[1].activate", /a function/],
    [[Symbol("s")], "model[0]", /a symbol/],
    [cycle, "model.deep.back", /cycle back to model$/],
    [{ "two words": new Layer() }, 'model["two words"]', /class Layer/],
    [new Map([["k", Promise.resolve(1)]]), "model.k", /Promise/],
    [new WeakMap(), "model", /WeakMap/],
    [{ e: new Error("no") }, "model.e", /Error/],
    [/x/, "model", /RegExp/],
    // eslint-disable-next-line no-sparse-arrays
    [[1, , 3], "model[1]", /hole/],
    [{ [Symbol("k")]: 1 }, "model", /symbols as keys/],
    [
      {
        get bad(): number {
          throw new Error("boom");
        },
      },
      "model.bad",
      /getter.*boom/,
    ],
    [deep, `model${"[0]".repeat(12)}…`, /nested more than 500/],
  ];
  for (const [value, path, what] of cases) {
    assert.throws(
      () => encodeValue(value, { step: "fit", name: "model" }),
      (error) => {
        assert.ok(isMfError(error, "RESULT_UNSTORABLE"), String(error));
        assert.equal(error.details["path"], path);
        assert.match(String(error.details["what"]), what);
        assert.equal(error.details["step"], "fit");
        return true;
      },
    );
  }
  assert.deepEqual(roundTrip({ fine: 1 }), { fine: 1 });
});

test("hostile bytes are refused by code, quickly and without allocation", () => {
  const hostile = ["", "dd01ffffff", "ddffffffff", "dfffffffff", "c6ffffffff01", "db7fffffff01"];
  hostile.push("c1", "0101", "91", "8101", "a2c328", "d47200", "d4780092a0a0", "d465009161");
  hostile.push(
    "d6700000000",
    "c70003",
    "c7010300",
    "c7020200ff0101",
    "c709060007ff",
    "c9ffffffff03",
  );
  hostile.push("91".repeat(5000) + "c0", "d400".repeat(3), `c9000f000002${"00".repeat(0xf0000)}`);
  for (const hex of hostile) {
    assert.throws(
      () => decodeValue(Buffer.from(hex, "hex")),
      (error) => isMfError(error, "CONTENT_MALFORMED"),
      hex.slice(0, 40),
    );
  }
});

test("a large typed array costs about a copy", () => {
  const array = new Float64Array(1_000_000).fill(1.5);
  const { data } = encodeValue({ a: 1, array });
  const shared = decodeValue(data, { share: true }) as { array: Float64Array };
  assert.equal(shared.array.buffer, data.buffer);
  const own = decodeValue(data) as { array: Float64Array };
  assert.notEqual(own.array.buffer, data.buffer);
  assert.deepEqual(own.array, array);
});

test("a text is as long as its bytes say, in the shortest form, whatever it is made of", () => {
  for (const length of [0, 31, 32, 40, 41, 127, 255, 256, 4_096, 4_097, 65_536]) {
    for (const end of ["a", "é", "\uffee", "👍"]) {
      const text = `${"x".repeat(Math.max(0, length - end.length))}${end}`;
      const bytes = Buffer.from(text, "utf8");
      const { data } = encodeValue(text);
      const { length: count } = bytes;
      const head = count < 32 ? 1 : count < 256 ? 2 : count < 65_536 ? 3 : 5;
      assert.ok(Buffer.from(data.subarray(head)).equals(bytes), `${length} ${end}`);
      assert.equal(decodeValue(data), text);
    }
  }
});
