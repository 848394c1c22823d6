import assert from "node:assert/strict";
import { test } from "node:test";
import { pack } from "msgpackr";
import * as v from "valibot";
import { isMfError, MfError } from "../../../src/model/errors.ts";
import { decodeError, encodeError } from "../../../src/wire/error-message.ts";
import { encodedOnce, message } from "../../../src/wire/message.ts";

const codec = message(
  v.object({ n: v.number(), note: v.exactOptional(v.string()), pad: v.instance(Uint8Array) }),
  100,
);

test("a message comes back as it was, and its bytes are its own", () => {
  const data = codec.encode({ n: 1, pad: Uint8Array.of(1, 2, 3) });
  const back = codec.decode(data);
  data.fill(0);
  assert.equal(back.n, 1);
  assert.deepEqual([...back.pad], [1, 2, 3]);
});

test("what goes to several peers is encoded once for all of them", () => {
  const codec = encodedOnce(message(v.object({ n: v.number() })));
  const value = { n: 7 };
  const data = codec.encode(value);
  assert.equal(codec.encode(value), data);
  assert.notEqual(codec.encode({ n: 7 }), data);
  assert.deepEqual(codec.decode(data), value);
});

test("a field that is undefined is an absent field", () => {
  const loose = message(v.any());
  const data = loose.encode({ n: 1, note: undefined, pad: new Uint8Array() });
  assert.deepEqual(Object.keys(codec.decode(data)), ["n", "pad"]);
});

test("fields of a newer peer are dropped", () => {
  const data = pack({ n: 1, pad: new Uint8Array(), more: { deep: [1, 2] } });
  assert.deepEqual(Object.keys(codec.decode(data)), ["n", "pad"]);
});

test("a message over its limit is refused at both ends", () => {
  const pad = new Uint8Array(100);
  const isMalformed = (error: unknown): boolean => isMfError(error, "MESSAGE_MALFORMED");
  assert.throws(() => codec.encode({ n: 1, pad }), isMalformed);
  assert.throws(() => codec.decode(pack({ n: 1, pad })), isMalformed);
});

test("what JavaScript can say and MessagePack cannot is refused, not revived", () => {
  for (const n of [new Date(0), /x/u, new Map([[1, 2]]), new Set([1])])
    assert.throws(
      () => codec.decode(pack({ n, pad: new Uint8Array() })),
      (error) => isMfError(error, "MESSAGE_MALFORMED"),
    );
});

test("an error keeps code and details, and loses its stack and what cannot be encoded", () => {
  const error = new MfError("STORE_FULL", {
    home: "/home",
    big: 10n,
    call: () => 1,
    long: "x".repeat(10_000),
  });
  const back = decodeError(encodeError(error));
  assert.equal(back.code, "STORE_FULL");
  assert.equal(back.details["home"], "/home");
  assert.equal(back.details["big"], "10");
  assert.equal(Object.hasOwn(back.details, "call"), false);
  assert.equal(String(back.details["long"]).length, 4_001);
});

test("a code of a newer peer arrives as INTERNAL that names it", () => {
  const data = pack({ code: "FUTURE_TROUBLE", details: { a: 1 } });
  const back = decodeError(data);
  assert.equal(back.code, "INTERNAL");
  assert.match(back.message, /FUTURE_TROUBLE: \{"a":1\}/u);
});
