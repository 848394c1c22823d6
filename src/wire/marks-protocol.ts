/**
 * `/mf/marks/1`: how peers come to the same marks. Who wrote some tells everybody (`tell`). Behind that, two peers compare digests of
 * buckets of keys (`compare`) and go through each bucket that differs in pages (`exchange`).
 */
import * as v from "valibot";
import type { Mark } from "../model/mark.ts";
import { encodedOnce, message } from "./message.ts";
import { mark } from "./noun-schemas.ts";
import type { RequestType } from "./transport.ts";

/** Buckets of keys: with a hundred thousand marks some 400 in each. */
export const MARK_BUCKETS = 256;
/** Of a key, of a version, of a bucket's digest. */
export const MARK_HASH_BYTES = 8;
/** Marks of one message (to read so many takes some 3 ms), and what they may take; one note is at most a quarter of it. */
export const MARKS_PER_MESSAGE_MAX = 128;
export const MARKS_MESSAGE_BYTES = 256 * 1024;
/** Keys that one question is about. */
export const MARK_KEYS_PER_PAGE_MAX = 1_024;

/** The last mark may begin just below MARKS_MESSAGE_BYTES; beside it the hashes of a page. */
const MESSAGE_BYTES_MAX = 2 * MARKS_MESSAGE_BYTES;

function bytes(lengthMax: number, unit: number) {
  return v.pipe(
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "no bytes"),
    v.check((data) => data.length <= lengthMax && data.length % unit === 0, "wrong length"),
  );
}

/** Marks of a kind or form that this version does not know are left out, not refused: a newer peer may have some. */
const marks = v.pipe(
  v.array(v.unknown()),
  v.maxLength(MARKS_PER_MESSAGE_MAX),
  v.transform((items): Mark[] =>
    items.flatMap((item) => {
      const read = v.safeParse(mark, item);
      return read.success ? [read.output] : [];
    }),
  ),
);
const bucket = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MARK_BUCKETS - 1));
const keyHash = v.pipe(
  v.custom<Uint8Array>((value) => value instanceof Uint8Array, "no bytes"),
  v.check((data) => data.length === MARK_HASH_BYTES, "wrong length"),
);
const keyHashes = bytes(MARK_KEYS_PER_PAGE_MAX * MARK_HASH_BYTES, MARK_HASH_BYTES);

function question<Q extends v.GenericSchema, A extends v.GenericSchema>(
  what: string,
  query: Q,
  answer: A,
): RequestType<v.InferOutput<Q>, v.InferOutput<A>> {
  return {
    name: `/mf/marks/1/${what}`,
    query: encodedOnce(message(query, MESSAGE_BYTES_MAX)),
    answer: message(answer, MESSAGE_BYTES_MAX),
  };
}

/** `taken`: those that are news there. */
export const tellMarks = question(
  "tell",
  v.object({ marks }),
  v.object({ taken: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
);

/** One digest a bucket; the answer: the buckets whose digest is another one there. */
export const compareMarks = question(
  "compare",
  v.object({ digest: bytes(MARK_BUCKETS * MARK_HASH_BYTES, MARK_BUCKETS * MARK_HASH_BYTES) }),
  v.object({ buckets: v.pipe(v.array(bucket), v.maxLength(MARK_BUCKETS)) }),
);

/**
 * What the asker has of a bucket behind `after`, in the order of hashes: up to the last one named, or (`isLast`) all. The answer: marks
 * that the asker lacks or has in another version, and the keys of those that are lacking there; with `through` as far as that key only.
 */
export const exchangeMarks = question(
  "exchange",
  v.object({
    bucket,
    after: v.exactOptional(keyHash),
    /** Hash of a key, hash of a version, and so on. */
    has: bytes(MARK_KEYS_PER_PAGE_MAX * 2 * MARK_HASH_BYTES, 2 * MARK_HASH_BYTES),
    isLast: v.boolean(),
  }),
  v.object({ marks, wants: keyHashes, through: v.exactOptional(keyHash) }),
);
