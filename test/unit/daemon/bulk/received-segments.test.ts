import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ReceivedSegments } from "../../../../daemon/bulk/received-segments.ts";
import { digestOf, type Codec } from "../../../../src/artifact/cid.ts";
import { walkSegment } from "../../../../src/store/segment/segment-walk.ts";
import {
  SegmentWriter,
  type FinishedSegment,
} from "../../../../src/store/segment/segment-writer.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-received-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let made = 0;

/** The disk is full after so many pieces. */
class FullDiskWriter extends SegmentWriter {
  #left: number;

  constructor(path: string, pieces: number) {
    super(path);
    this.#left = pieces;
  }

  override appendHashed(codec: Codec, digest: Buffer, data: Uint8Array): void {
    if (this.#left-- === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    super.appendHashed(codec, digest, data);
  }
}

function received(pieces: number): { segments: ReceivedSegments; done: FinishedSegment[] } {
  const done: FinishedSegment[] = [];
  const segments = new ReceivedSegments({
    newPath: () => join(dir, `${made++}.seg`),
    done: (segment) => done.push(segment),
    openWriter: (path) => new FullDiskWriter(path, pieces),
  });
  return { segments, done };
}

test("what is appended is handed over whole", async () => {
  const { segments, done } = received(Infinity);
  const pieces = [100, 300_000, 1_000_000].map((bytes) => randomBytes(bytes));
  for (const piece of pieces) segments.append("raw", digestOf(piece), piece);
  assert.equal(await segments.finish(), undefined);
  const [segment] = done;
  assert.ok(segment !== undefined && done.length === 1);
  const walked = walkSegment(segment.file);
  assert.deepEqual(walked.records, segment.records);
  assert.equal(walked.records.length, 3);
});

test("a disk that fills up keeps the pieces that were written whole", async () => {
  const { segments, done } = received(2);
  const pieces = [400_000, 500_000, 600_000].map((bytes) => randomBytes(bytes));
  const append = (piece: Buffer): void => segments.append("raw", digestOf(piece), piece);
  for (const piece of pieces.slice(0, 2)) append(piece);
  assert.throws(() => append(pieces[2] as Buffer), /no space/);
  assert.throws(() => append(pieces[2] as Buffer), /no space/, "and nothing more is taken");
  assert.equal(((await segments.finish()) as NodeJS.ErrnoException).code, "ENOSPC");
  const [segment] = done;
  assert.ok(segment !== undefined);
  // The last padding may still have been in the writer's memory: then that piece is given up too.
  assert.ok(segment.records.length >= 1);
  const walked = walkSegment(segment.file);
  assert.equal(walked.damagedAt, undefined);
  assert.deepEqual(walked.records, segment.records);
});

test("where nothing was written whole, nothing is left", async () => {
  const { segments, done } = received(0);
  const before = readdirSync(dir).length;
  const piece = randomBytes(10);
  assert.throws(() => segments.append("raw", digestOf(piece), piece));
  assert.notEqual(await segments.finish(), undefined);
  assert.deepEqual(done, []);
  assert.equal(readdirSync(dir).length, before);
});
