import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  chunkLength,
  chunksOf,
} from "../../../src/artifact/chunker.ts";
import { sampleBytes } from "../../../src/testing/conformance/store.ts";

const noise = sampleBytes(12_000_000, 5);
const lengths = (data: Uint8Array): number[] => Array.from(chunksOf(data), (chunk) => chunk.length);
const digests = (data: Uint8Array): Set<string> =>
  new Set(Array.from(chunksOf(data), (chunk) => createHash("sha256").update(chunk).digest("hex")));

/** The definition, a byte at a time. */
function plainCut(data: Uint8Array, start: number): number {
  const gear = new Int32Array(256);
  let state = 0x2545f491;
  for (let i = 0; i < 256 * 4; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    gear[i >> 2] = state;
  }
  const end = Math.min(data.length, start + CHUNK_BYTES_MAX);
  let hash = 0;
  for (let at = start + CHUNK_BYTES_MIN; at < end; at++) {
    hash = ((hash << 1) + (gear[data[at] ?? 0] ?? 0)) | 0;
    const bits = at < start + 1024 * 1024 ? 22 : 18;
    if (hash >>> (32 - bits) === 0) return at + 1 - start;
  }
  return end - start;
}

test("chunks are cut where the definition says, whatever the alignment of the bytes", () => {
  for (const offset of [0, 1, 2, 3, 1_000_003]) {
    const data = noise.subarray(offset);
    for (let at = 0; at < data.length;) {
      const length = chunkLength(data, at);
      assert.equal(length, plainCut(data, at));
      at += length;
    }
  }
});

test("chunks keep their limits and join to the whole", () => {
  for (const data of [noise, new Uint8Array(9_000_000), noise.subarray(0, 3), new Uint8Array()]) {
    const all = lengths(data);
    assert.equal(
      all.reduce((sum, length) => sum + length, 0),
      data.length,
    );
    assert.ok(all.every((length) => length <= CHUNK_BYTES_MAX));
    assert.ok(all.slice(0, -1).every((length) => length > CHUNK_BYTES_MIN));
  }
});

test("bytes inserted in the middle change a chunk or two, not those after it", () => {
  const edited = new Uint8Array(noise.length + 7);
  edited.set(noise.subarray(0, 5_000_000));
  edited.set([1, 2, 3, 4, 5, 6, 7], 5_000_000);
  edited.set(noise.subarray(5_000_000), 5_000_007);
  const before = digests(noise);
  const fresh = [...digests(edited)].filter((digest) => !before.has(digest));
  assert.ok(fresh.length >= 1 && fresh.length <= 3, `${fresh.length} of ${before.size} are new`);
});
