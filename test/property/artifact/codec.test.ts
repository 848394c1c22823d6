import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeValue, encodeValue } from "../../../src/artifact/codec.ts";
import { contentIdOf } from "../../../src/artifact/content.ts";
import { chunksOf } from "../../../src/artifact/chunker.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { sampleBytes } from "../../../src/testing/conformance/store.ts";

const value = fc.anything({
  withBigInt: true,
  withDate: false,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withNullPrototype: false,
  withObjectString: true,
  withUnicodeString: true,
});

test("any storable value comes back, and twice the same bytes", () => {
  fc.assert(
    fc.property(value, (input) => {
      const { data } = encodeValue(input);
      assert.deepEqual(decodeValue(data), input);
      assert.deepEqual(encodeValue(decodeValue(data)).data, data);
    }),
    { numRuns: 400 },
  );
});

test("any bytes decode or are refused by code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      try {
        decodeValue(data);
      } catch (error) {
        assert.ok(isMfError(error, "CONTENT_MALFORMED"), String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test("any damage to real bytes decodes or is refused by code", () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.nat(255), (input, place, byte) => {
      const data = encodeValue(input).data.slice();
      data[place % data.length] = byte;
      try {
        decodeValue(data);
      } catch (error) {
        assert.ok(isMfError(error, "CONTENT_MALFORMED"), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("a change moves few cuts: most chunks are found again", () => {
  const before = sampleBytes(24_000_000, 11);
  const changed = Buffer.concat([
    before.subarray(0, 9_000_000),
    Buffer.alloc(13),
    before.subarray(9_000_000),
  ]);
  const ids = (data: Uint8Array): string[] =>
    [...chunksOf(data)].map((chunk) => contentIdOf("raw", chunk));
  const known = new Set(ids(before));
  const fresh = ids(changed).filter((id) => !known.has(id));
  assert.ok(fresh.length <= 3, `${fresh.length} of ${known.size} are new`);
});
