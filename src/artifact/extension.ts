/** Our MessagePack extension types (README describes each payload) and the limits of the encoding. Numbers never change. */
export const EXT = {
  undefined: 1,
  bigint: 2,
  map: 3,
  set: 4,
  date: 5,
  typedArray: 6,
  arrayBuffer: 7,
  dataView: 8,
  file: 9,
  /** A string that UTF-8 cannot carry (lone surrogates), as UTF-16LE. */
  utf16: 10,
} as const;

/** Containers in containers. Bounds recursion, so a hostile or runaway value cannot exhaust the stack. */
export const DEPTH_MAX = 500;
/** One encoded value. Below what crypto.hash, writes and 32-bit lengths take in one piece. */
export const ENCODED_BYTES_MAX = 2_000_000_000;
/** A bigint's magnitude: parsing costs its square. */
export const BIGINT_BYTES_MAX = 64 * 1024;
/** Data of typed arrays starts at a multiple of this within the encoding, so that a reader may use it in place. */
export const ALIGNMENT = 8;
