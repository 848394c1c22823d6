/**
 * Content-defined chunking (FastCDC, gear hash): where a large artifact is cut depends on its bytes near the cut only, so versions
 * that differ a little share most of their chunks. The gear table and the masks are part of the format: they never change.
 */
export const CHUNK_BYTES_MIN = 256 * 1024;
export const CHUNK_BYTES_AVERAGE = 1024 * 1024;
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** Content up to this is one chunk. */
export const CHUNKED_OVER_BYTES = 4 * 1024 * 1024;

/** Harder to meet before the average, easier after it, so that sizes stay near it. The top bits see the last 32 bytes. */
const MASK_BEFORE = (-1 << (32 - 22)) >>> 0;
const MASK_AFTER = (-1 << (32 - 18)) >>> 0;
const GEAR = gearTable();

/** Length of the first chunk of `data` from `start`. Without all bytes up to CHUNK_BYTES_MAX, only right at the end of the content. */
export function chunkLength(data: Uint8Array, start: number): number {
  const left = data.length - start;
  if (left <= CHUNK_BYTES_MIN) return left;
  const end = start + Math.min(left, CHUNK_BYTES_MAX);
  const average = Math.min(end, start + CHUNK_BYTES_AVERAGE);
  let hash = 0;
  let at = start + CHUNK_BYTES_MIN;
  for (; at < average; at++) {
    hash = ((hash << 1) + (GEAR[data[at] as number] as number)) | 0;
    if ((hash & MASK_BEFORE) === 0) return at + 1 - start;
  }
  for (; at < end; at++) {
    hash = ((hash << 1) + (GEAR[data[at] as number] as number)) | 0;
    if ((hash & MASK_AFTER) === 0) return at + 1 - start;
  }
  return end - start;
}

export function* chunksOf(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length;) {
    const length = chunkLength(data, at);
    yield data.subarray(at, at + length);
    at += length;
  }
}

/** 256 numbers from a fixed xorshift sequence. */
function gearTable(): Int32Array {
  const table = new Int32Array(256);
  let state = 0x2545f491;
  for (let i = 0; i < table.length; i++) {
    for (let round = 0; round < 4; round++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
    }
    table[i] = state;
  }
  return table;
}
