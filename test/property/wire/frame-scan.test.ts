import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Packr, Unpackr } from "msgpackr";
import { isMfError } from "../../../src/model/errors.ts";
import { scanFrame } from "../../../src/wire/frame-scan.ts";
import { decodeError, encodeError } from "../../../src/wire/error-message.ts";
import { helloCodec } from "../../../src/wire/hello-message.ts";

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** Bytes that look like MessagePack more often than chance would make them. */
const markers = fc.constantFrom(
  ...Buffer.from("80818f90919fa0a1bfc0c1c4c5c6c7c8c9cacbcccdcecfd0d3d4d8d9dadbdcdddedfe0ff", "hex"),
  ...Buffer.from("000102726573", "hex"),
);
const hostile = fc
  .array(fc.oneof(markers, fc.integer({ min: 0, max: 255 })), { maxLength: 200 })
  .map((bytes) => Uint8Array.from(bytes));

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.uint8Array({ maxLength: 50 }),
    fc.array(tie("any"), { maxLength: 20 }),
    fc.dictionary(fc.string(), tie("any"), { maxKeys: 20, noNullPrototype: true }),
  ),
})).any;

test("what the scan accepts, msgpackr decodes without throwing and without big allocations", () => {
  fc.assert(
    fc.property(hostile, (data) => {
      if (scanFrame(data) !== undefined) return;
      const before = process.memoryUsage().arrayBuffers;
      unpackr.unpack(data);
      assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
    }),
    // Found by chance: a map with a map as its key.
    { numRuns: 5_000, examples: [[Uint8Array.of(130, 128, 128, 0, 0)]] },
  );
});

test("whatever msgpackr makes of plain values passes the scan, and no cut or longer form of it does", () => {
  fc.assert(
    fc.property(value, fc.nat(), (message, at) => {
      const data = packr.pack(message);
      assert.equal(scanFrame(data), undefined);
      assert.notEqual(scanFrame(data.subarray(0, at % data.length)), undefined);
      assert.notEqual(scanFrame(Buffer.concat([data, Buffer.of(0xc0)])), undefined);
    }),
    { numRuns: 300 },
  );
});

test("a spoilt byte is refused by the scan or by the schema, or decodes to what the schema allows", () => {
  const good = helloCodec.encode({
    version: 1,
    credentials: new Uint8Array(40),
    addresses: ["/ip4/10.0.0.7/tcp/4077"],
  });
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
      const data = Uint8Array.from(good);
      data[at] = byte;
      try {
        const hello = helloCodec.decode(data);
        assert.ok(Number.isInteger(hello.version) && hello.addresses.length <= 16);
      } catch (error) {
        assert.ok(isMfError(error, "MESSAGE_MALFORMED"), String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});

test("any thrown value crosses the wire as an MfError", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (thrown) => {
      const error = decodeError(encodeError(thrown));
      assert.ok(isMfError(error, "INTERNAL"));
    }),
    // Found by chance: nothing that String() could print.
    { numRuns: 500, examples: [[{ toString: 0 }]] },
  );
});
