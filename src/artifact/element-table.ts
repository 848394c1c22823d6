/**
 * The elements of a list, each an artifact of its own: what each() iterates over. Stored as one structured artifact.
 * Elements up to ELEMENT_INLINE_BYTES_MAX are carried in `bodies`; larger ones are stored on their own (in the same scratch segment).
 * So an element's identity is its content: adding one to a list leaves the others' facts valid.
 */
export interface ElementTable {
  readonly v: 1;
  readonly count: number;
  /** `count` CIDs in binary form, one after another, with their lengths (they differ by codec). */
  readonly ids: Uint8Array;
  readonly idLengths: Uint8Array;
  /** Bytes of each element's encoding. */
  readonly sizes: Float64Array;
  /** The small elements' encodings, one after another, in order. */
  readonly bodies: Uint8Array;
}

/** An element this small travels inside its table. */
export const ELEMENT_INLINE_BYTES_MAX = 16 * 1024;
