/**
 * Content-defined chunking (FastCDC, gear hash): where a large artifact is cut depends on its bytes near the cut only, so versions
 * that differ a little share most of their chunks. The gear table and the masks are part of the format: they never change.
 */
export const CHUNK_BYTES_MIN = 256 * 1024;
export const CHUNK_BYTES_AVERAGE = 1024 * 1024;
export const CHUNK_BYTES_MAX = 4 * 1024 * 1024;
/** Content up to this is one chunk. */
export const CHUNKED_OVER_BYTES = 4 * 1024 * 1024;

/**
 * A cut is where the top bits of the hash are zero: 22 of them before the average and 18 after it, so that sizes stay near it. The
 * hash sees the last 32 bytes.
 */
const SHIFT_BEFORE = 32 - 22;
const SHIFT_AFTER = 32 - 18;
const HASHED_BYTES = 32;
const GEAR = gearTable();

/** Length of the first chunk of `data` from `start`. Without all bytes up to CHUNK_BYTES_MAX, only right at the end of the content. */
export function chunkLength(data: Uint8Array, start: number): number {
  const left = data.length - start;
  if (left <= CHUNK_BYTES_MIN) return left;
  const first = start + CHUNK_BYTES_MIN;
  const end = start + Math.min(left, CHUNK_BYTES_MAX);
  const average = Math.min(end, start + CHUNK_BYTES_AVERAGE);
  const before = cutIn(data.subarray(first, average), 0, SHIFT_BEFORE);
  if (before >= 0) return CHUNK_BYTES_MIN + before;
  const seen = data.subarray(Math.max(first, average - HASHED_BYTES), average);
  let hash = 0;
  for (const byte of seen) hash = ((hash << 1) + (GEAR[byte] as number)) | 0;
  const after = cutIn(data.subarray(average, end), hash, SHIFT_AFTER);
  return after >= 0 ? average - start + after : end - start;
}

/** Bytes up to and with the first cut, or -1. Four bytes a round: each hash waits for that of the round before only. */
function cutIn(data: Uint8Array, start: number, shift: number): number {
  let hash = start;
  let at = 0;
  for (const whole = data.length - 3; at < whole; at += 4) {
    const one = GEAR[data[at] as number] as number;
    const two = ((one << 1) + (GEAR[data[at + 1] as number] as number)) | 0;
    const three = ((two << 1) + (GEAR[data[at + 2] as number] as number)) | 0;
    const four = ((three << 1) + (GEAR[data[at + 3] as number] as number)) | 0;
    if (((hash << 1) + one) >>> shift === 0) return at + 1;
    if (((hash << 2) + two) >>> shift === 0) return at + 2;
    if (((hash << 3) + three) >>> shift === 0) return at + 3;
    hash = ((hash << 4) + four) | 0;
    if (hash >>> shift === 0) return at + 4;
  }
  for (; at < data.length; at++) {
    hash = ((hash << 1) + (GEAR[data[at] as number] as number)) | 0;
    if (hash >>> shift === 0) return at + 1;
  }
  return -1;
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
