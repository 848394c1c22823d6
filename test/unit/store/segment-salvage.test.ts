import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { walkSegment } from "../../../src/store/segment/segment-walk.ts";
import { SegmentWriter } from "../../../src/store/segment/segment-writer.ts";
import { sampleBytes } from "../../../src/testing/conformance/store.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-salvage-"));
after(() => rmSync(dir, { recursive: true, force: true }));

test("what is salvaged is a whole segment of the records that reached the file", () => {
  const writer = new SegmentWriter(join(dir, "some.seg"));
  writer.append("raw", sampleBytes(300_000, 1));
  writer.append("raw", sampleBytes(400_000, 2));
  // Still in the writer's memory.
  writer.append("raw", sampleBytes(50, 3));
  const saved = writer.salvage();
  assert.ok(saved !== undefined && saved.records.length >= 1 && saved.records.length < 3);
  const walked = walkSegment(saved.file);
  assert.deepEqual(walked.records, saved.records);
  assert.equal(walked.bytes, saved.bytes);
  assert.equal(walked.damagedAt, undefined);
});

test("where no record reached the file, it is removed", () => {
  const writer = new SegmentWriter(join(dir, "none.seg"));
  writer.append("raw", sampleBytes(50));
  assert.equal(writer.salvage(), undefined);
  assert.throws(() => walkSegment(join(dir, "none.seg")));
});
