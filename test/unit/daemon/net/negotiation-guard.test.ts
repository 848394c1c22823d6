import assert from "node:assert/strict";
import { test } from "node:test";
import { guardNegotiation, NegotiationGuard } from "../../../../daemon/net/negotiation-guard.ts";

const said = (text: string): Buffer =>
  Buffer.concat([Buffer.from([text.length + 1]), Buffer.from(`${text}\n`)]);
const HEADER = said("/multistream/1.0.0");
const guard = (): NegotiationGuard => new NegotiationGuard(["/noise"]);

test("a negotiation passes, cut anywhere, and what comes after it is not looked at", () => {
  const bytes = Buffer.concat([HEADER, said("/other"), said("/noise"), Buffer.alloc(5000, 0xff)]);
  assert.equal(guard().push(bytes), "agreed");
  const slow = guard();
  const verdicts = [...bytes].map((byte) => slow.push([byte]));
  const end = HEADER.length + said("/other").length + said("/noise").length;
  assert.equal(verdicts.indexOf("agreed"), end - 1);
  assert.ok(verdicts.slice(0, end - 1).every((verdict) => verdict === "more"));
});

test("a length without an end, an impossible one, and talk without an end are malformed", () => {
  assert.equal(guard().push(Buffer.alloc(2, 0xff)), "malformed");
  assert.equal(guard().push(Buffer.concat([HEADER, Buffer.alloc(2, 0x80)])), "malformed");
  assert.equal(guard().push([0]), "malformed");
  assert.equal(guard().push([0x81, 0x08]), "malformed", "1025 bytes");
  assert.equal(guard().push([0x80, 0x08]), "more", "1024 bytes");
  assert.equal(guard().push(Buffer.concat(Array(16).fill(HEADER))), "malformed");
});

test("a guarded stream gets its bytes, and nothing more once it is malformed", () => {
  const got: number[] = [];
  let aborts = 0;
  const stream = {
    onData: (data: Uint8Array | Iterable<number>) => void got.push(...data),
    abort: () => void aborts++,
  };
  assert.ok(guardNegotiation(stream, ["/noise"]));
  stream.onData(HEADER);
  assert.deepEqual(got, [...HEADER]);
  stream.onData(Buffer.alloc(100, 0xff));
  stream.onData(Buffer.alloc(100, 0xff));
  assert.deepEqual([got.length, aborts], [HEADER.length, 1]);
  assert.equal(guardNegotiation({}, ["/noise"]), false);
});
