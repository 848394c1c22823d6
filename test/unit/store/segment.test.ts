import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { cidOf, digestHexOf, parseCid } from "../../../src/artifact/cid.ts";
import { contentIdOf } from "../../../src/artifact/content.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { readLocation, streamLocation } from "../../../src/store/segment/segment-reader.ts";
import { walkSegment } from "../../../src/store/segment/segment-walk.ts";
import { SegmentWriter } from "../../../src/store/segment/segment-writer.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-segment-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let made = 0;
const path = (): string => join(dir, `${made++}.seg`);
const noise = (bytes: number, seed = 7): Uint8Array => {
  let state = seed;
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return state >>> 16;
  });
};

test("what is appended is read back, verified, and written once", () => {
  const writer = new SegmentWriter(path());
  const pieces = [new Uint8Array(), Uint8Array.of(1), noise(70_000), noise(300_000), noise(5000)];
  for (const piece of pieces) assert.equal(writer.append("raw", piece), cidOf("raw", piece));
  writer.append("raw", noise(5000));
  const { file, records, bytes } = writer.finish({ sync: true });
  assert.equal(records.length, pieces.length);
  assert.equal(readFileSync(file).length, bytes);
  const walked = walkSegment(file);
  assert.deepEqual(walked.records, records);
  assert.equal(walked.damagedAt, undefined);
  const parts = records.map(({ offset, bytes: length, digest }) => {
    return { file, offset, bytes: length, digest };
  });
  const total = parts.reduce((sum, part) => sum + part.bytes, 0);
  assert.deepEqual(readLocation({ bytes: total, parts }), new Uint8Array(Buffer.concat(pieces)));
  assert.equal([...streamLocation({ bytes: total, parts })].length, pieces.length);
});

test("large content has the same id from memory, from a file, and without storing it", () => {
  const data = noise(21_000_000);
  const source = path();
  writeFileSync(source, data);
  const writer = new SegmentWriter(path());
  const id = writer.putContent("raw", data);
  const before = writer.records.length;
  assert.deepEqual(writer.putFile(source), { id, bytes: data.length });
  assert.equal(writer.records.length, before);
  assert.equal(contentIdOf("raw", data), id);
  assert.equal(parseCid(id).codec, "dag-json");
  assert.ok(before > 6 && before < 60, String(before));
  writer.abandon();
  assert.equal(existsSync(writer.path), false);
});

test("a flipped bit is found by the reader and by the walk", () => {
  const writer = new SegmentWriter(path());
  writer.append("raw", noise(1000));
  writer.append("raw", noise(1000, 3));
  const { file, records } = writer.finish();
  const second = records[1];
  assert.ok(second);
  const bytes = readFileSync(file);
  bytes[second.offset + 10] = (bytes[second.offset + 10] ?? 0) ^ 4;
  writeFileSync(file, bytes);
  const walked = walkSegment(file);
  assert.deepEqual(walked.records, [records[0]]);
  assert.deepEqual(walked.bad, [second]);
  assert.throws(
    () => readLocation({ bytes: 1000, parts: [{ file, ...second }] }),
    (error) => isMfError(error, "CONTENT_MISMATCH"),
  );
});

test("a truncated segment yields its whole records only", () => {
  const writer = new SegmentWriter(path());
  for (let i = 1; i <= 5; i++) writer.append("raw", noise(1000, i));
  const { file, records, bytes } = writer.finish();
  for (const cut of [bytes - 1000, 30, 8, 0]) {
    truncateSync(file, cut);
    const whole = records.filter((record) => record.offset + record.bytes <= cut);
    const walked = walkSegment(file);
    assert.deepEqual(walked.records, whole);
    assert.notEqual(walked.damagedAt, undefined);
  }
});

test("a missing segment is missing content", () => {
  const part = { file: path(), offset: 0, bytes: 1, digest: digestHexOf(Uint8Array.of(1)) };
  assert.throws(
    () => readLocation({ bytes: 1, parts: [part] }),
    (error) => isMfError(error, "CONTENT_MISSING"),
  );
});
