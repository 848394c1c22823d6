import assert from "node:assert/strict";
import { test } from "node:test";
import { WIRE_KINDS, type WireFrame } from "../../../../daemon/net/frame.ts";
import { encodeFrame, FrameReader } from "../../../../daemon/net/frame-codec.ts";
import { Outbox } from "../../../../daemon/net/outbox.ts";
import { PIECE_BYTES, QUEUE_BYTES_MAX } from "../../../../daemon/net/net-limits.ts";
import { sampleBytes } from "../../../../src/testing/conformance/store.ts";

const FRAMES: readonly WireFrame[] = [
  { k: "request", id: 1, name: "/mf/test/1/ask", body: sampleBytes(300) },
  { k: "answer", id: 0xffff_ffff, name: "", body: sampleBytes(0) },
  { k: "notice", id: 0, name: "/mf/test/1/tell", body: sampleBytes(1) },
  { k: "ping", id: 0, name: "", body: sampleBytes(0) },
];

test("frames come back however the stream is cut", () => {
  const stream = Buffer.concat(FRAMES.map(encodeFrame));
  for (const chunkBytes of [1, 2, 3, 9, 10, 11, 64, stream.length]) {
    const { reader, frames } = recordingReader();
    for (let at = 0; at < stream.length; at += chunkBytes)
      assert.equal(reader.push(stream.subarray(at, at + chunkBytes)), undefined);
    assert.deepEqual(frames, FRAMES.map(comparable));
  }
});

test("a length above the limit ends the stream before anything is allocated", () => {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(0xffff_ffff, 0);
  head.writeUInt8(WIRE_KINDS.indexOf("answer"), 4);
  const before = process.memoryUsage().arrayBuffers;
  const { reader } = recordingReader();
  assert.match(reader.push(head) ?? "", /at most 1000/u);
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
  assert.match(reader.push(Buffer.alloc(1_000)) ?? "", /at most 1000/u, "it stays ended");
});

test("a frame that is malformed in any field ends the stream", () => {
  const cases: readonly [string, (head: Buffer) => void, RegExp][] = [
    ["length", (head) => head.writeUInt32BE(3, 0), /length that is too small/u],
    ["kind", (head) => head.writeUInt8(WIRE_KINDS.length, 4), /kind that no frame has/u],
    ["name", (head) => head.writeUInt8(255, 9), /name is too long/u],
    ["name beyond the frame", (head) => head.writeUInt8(120, 9), /length that is too small/u],
  ];
  for (const [field, spoil, fault] of cases) {
    const data = Buffer.from(encodeFrame({ k: "ping", id: 0, name: "", body: sampleBytes(0) }));
    spoil(data);
    const { reader } = recordingReader();
    assert.match(reader.push(Buffer.concat([data, Buffer.alloc(200)])) ?? "", fault, field);
  }
});

test("a body that nobody wants is skipped without being kept", () => {
  const big = encodeFrame({ k: "answer", id: 9, name: "", body: sampleBytes(900) });
  const { reader, frames } = recordingReader({ isWanted: false });
  assert.equal(reader.push(big.subarray(0, 500)), undefined);
  assert.equal(reader.push(big.subarray(500)), undefined);
  assert.deepEqual(frames, [{ k: "answer", id: 9, name: "", body: [] }]);
});

test("small frames of one turn leave in one send, a big one in pieces between small ones", () => {
  const outbox = new Outbox();
  const small: WireFrame = { k: "notice", id: 0, name: "/mf/test/1/tell", body: sampleBytes(10) };
  const big: WireFrame = { k: "answer", id: 7, name: "", body: sampleBytes(200_000) };
  outbox.add(big);
  outbox.add(small);
  outbox.add(small);
  const inner = recordingReader({ bytesMax: QUEUE_BYTES_MAX });
  const kinds: string[] = [];
  const outer = new FrameReader({
    judge: () => ({ bytesMax: PIECE_BYTES, isWanted: true }),
    take(frame) {
      kinds.push(frame.k);
      return frame.k === "piece" ? inner.reader.push(frame.body) : undefined;
    },
  });
  assert.equal(outer.push(outbox.take()), undefined);
  assert.deepEqual(kinds, ["notice", "notice"]);
  assert.equal(outer.push(outbox.take()), undefined);
  assert.deepEqual(kinds.slice(2), ["piece"]);
  outbox.add(small);
  while (!outbox.isEmpty) assert.equal(outer.push(outbox.take()), undefined);
  assert.deepEqual(kinds.slice(3), ["notice", "piece", "piece", "piece"]);
  assert.deepEqual(inner.frames, [comparable(big)]);
  assert.equal(outbox.queuedBytes, 0);
  assert.equal(outbox.take().length, 0);
});

test("a big notice is not overtaken by a later one", () => {
  const outbox = new Outbox();
  const name = "/mf/test/1/tell";
  outbox.add({ k: "notice", id: 0, name, body: sampleBytes(200_000) });
  outbox.add({ k: "notice", id: 0, name, body: sampleBytes(1) });
  const { reader, frames } = recordingReader({ bytesMax: QUEUE_BYTES_MAX });
  while (!outbox.isEmpty) assert.equal(reader.push(outbox.take()), undefined);
  assert.deepEqual(
    frames.map((frame) => frame.body.length),
    [200_000, 1],
  );
});

function recordingReader({ bytesMax = 1_000, isWanted = true } = {}): {
  reader: FrameReader;
  frames: ReturnType<typeof comparable>[];
} {
  const frames: ReturnType<typeof comparable>[] = [];
  const reader = new FrameReader({
    judge: () => ({ bytesMax, isWanted }),
    take(frame) {
      frames.push(comparable(frame));
      return undefined;
    },
  });
  return { reader, frames };
}

/** Bodies are lent: copied into plain arrays they can be compared later. */
function comparable({
  body,
  k,
  id,
  name,
}: WireFrame): Omit<WireFrame, "body"> & { body: number[] } {
  return { k, id, name, body: [...body] };
}
