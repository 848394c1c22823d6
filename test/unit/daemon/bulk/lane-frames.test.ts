import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AnswerReader,
  AskReader,
  askFrame,
  PIECE_HERE,
  PIECE_MISSING,
  writeAnswerHeader,
} from "../../../../daemon/bulk/lane-frames.ts";

const digest = (n: number): string => n.toString(16).padStart(64, "0");

test("asked digests come together from single bytes", () => {
  const digests = [digest(1), digest(2), digest(3)];
  const bytes = Buffer.concat([askFrame(digests.slice(0, 2)), askFrame(digests.slice(2))]);
  const reader = new AskReader();
  const seen: string[] = [];
  for (const byte of bytes) seen.push(...(reader.feed(Uint8Array.of(byte)) ?? []));
  assert.deepEqual(seen, digests);
  assert.deepEqual(new AskReader().feed(bytes), digests);
});

test("counts of nothing and of too much are no frames", () => {
  for (const count of [0, 257, 0xffffffff]) {
    const frame = Buffer.alloc(4);
    frame.writeUInt32LE(count, 0);
    assert.equal(new AskReader().feed(frame), undefined);
  }
});

test("answers are put together however they are cut, empty ones too", () => {
  const pieces = [Buffer.from("hello"), Buffer.alloc(0), Buffer.alloc(3000, 7)];
  const parts = pieces.flatMap((piece) => {
    const header = Buffer.alloc(8);
    writeAnswerHeader(header, PIECE_HERE, piece.length);
    return [header, piece];
  });
  const absent = Buffer.alloc(8);
  writeAnswerHeader(absent, PIECE_MISSING, 0);
  const bytes = Buffer.concat([...parts, absent]);
  for (const step of [1, 7, 8, 9, 5000]) {
    const seen: Buffer[] = [];
    let missing = 0;
    const reader = new AnswerReader({
      begin: (length) => Buffer.alloc(length),
      whole: (data) => seen.push(data),
      missing: () => missing++,
    });
    for (let at = 0; at < bytes.length; at += step) {
      assert.ok(reader.feed(bytes.subarray(at, at + step)));
    }
    assert.deepEqual(seen, pieces);
    assert.equal(missing, 1);
  }
});

test("a status or a length that cannot be ends the lane", () => {
  const feed = (status: number, bytes: number): boolean => {
    const header = Buffer.alloc(8);
    writeAnswerHeader(header, status, bytes);
    const reader = new AnswerReader({
      begin: (length) => (length > 100 ? undefined : Buffer.alloc(length)),
      whole: () => undefined,
      missing: () => undefined,
    });
    return reader.feed(header);
  };
  assert.equal(feed(PIECE_HERE, 100), true);
  assert.equal(feed(PIECE_HERE, 101), false);
  assert.equal(feed(PIECE_MISSING, 1), false);
  assert.equal(feed(2, 0), false);
});
