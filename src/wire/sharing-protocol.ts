/**
 * `/mf/sharing/1`: tasks that others have run already, and tasks that others run now. A *desk* is the peer that is asked who runs a task
 * of some code: each code id has one, chosen by every peer alike.
 */
import * as v from "valibot";
import { message } from "./message.ts";
import { cid, codeId, fact, factRef, memoKey, peerId } from "./noun-schemas.ts";
import type { NoticeType, RequestType } from "./transport.ts";

/** Code ids in one question: the steps of a flow. */
export const CODES_MAX = 1_024;
/** Memo keys in one message. */
export const KEYS_MAX = 4_096;
/** Users of one code that an answer names. */
export const USERS_MAX = 64;
/** And those of all codes together: at most 130 bytes each, mostly 55. */
export const ANSWER_USERS_MAX = 2_500;
/** Facts asked for at once. */
export const REFS_MAX = 128;
/** Of one answer with facts and their small contents. */
export const FACTS_BYTES_MAX = 2 * 1024 * 1024;
/** Of one answer about what is known. */
export const PRINTS_BYTES_MAX = 512 * 1024;
/** A print is the first four bytes of a memo key. */
export const PRINT_BYTES = 4;

/** 4096 keys of 66 bytes, and the codes. */
const KEYS_BYTES_MAX = 512 * 1024;
const CODES_BYTES_MAX = 160 * 1024;

const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array);
const codes = v.pipe(v.array(codeId), v.maxLength(CODES_MAX));
const keys = v.pipe(v.array(memoKey), v.maxLength(KEYS_MAX));
const at = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(KEYS_MAX - 1));
const users = v.pipe(v.array(peerId), v.maxLength(USERS_MAX));
/** Keys of the code at that position of `codes`. */
const heldKeys = v.pipe(v.array(v.object({ at, keys })), v.maxLength(CODES_MAX));

interface Limits {
  readonly query: number;
  readonly answer: number;
}

function question<Q extends v.GenericSchema, A extends v.GenericSchema>(
  what: string,
  [query, answer]: readonly [Q, A],
  limits: Limits,
): RequestType<v.InferOutput<Q>, v.InferOutput<A>> {
  return {
    name: `/mf/sharing/1/${what}`,
    query: message(query, limits.query),
    answer: message(answer, limits.answer),
  };
}

/** Of which of these codes it has facts, and of which keys: their prints. Without prints: too many, or not counted yet. */
export const KNOWN = question(
  "known",
  [
    v.object({ codes }),
    v.object({
      known: v.pipe(
        v.array(v.object({ at, prints: v.exactOptional(bytes) })),
        v.maxLength(CODES_MAX),
      ),
    }),
  ],
  { query: CODES_BYTES_MAX, answer: PRINTS_BYTES_MAX + 64 * 1024 },
);

/** Those it has, with what is small of their contents. `isCut`: more of them is there than went into this answer. */
export const FACTS = question(
  "facts",
  [
    v.object({ refs: v.pipe(v.array(factRef), v.maxLength(REFS_MAX)) }),
    v.object({
      facts: v.pipe(v.array(fact), v.maxLength(REFS_MAX)),
      inline: v.pipe(v.array(v.object({ id: cid, data: bytes })), v.maxLength(KEYS_MAX)),
      isCut: v.boolean(),
    }),
  ],
  { query: 64 * 1024, answer: FACTS_BYTES_MAX },
);

/** To the desk, at the beginning and again and again: runs with these codes go on here, and run these keys. Names who else has such runs. */
export const USE = question(
  "use",
  [
    v.object({ codes, held: heldKeys }),
    v.object({
      others: v.pipe(
        v.array(v.object({ at, users, isShared: v.boolean() })),
        v.maxLength(CODES_MAX),
      ),
    }),
  ],
  { query: KEYS_BYTES_MAX, answer: KEYS_BYTES_MAX },
);

/** From the desk to who was alone so far: from now on claim each key; which ones run already? */
export const HAND_IN = question("hand-in", [v.object({ codes }), v.object({ held: heldKeys })], {
  query: CODES_BYTES_MAX,
  answer: KEYS_BYTES_MAX,
});

/** To the desk: may these be run here? The answer says which are run by others, and who may have run the rest before. */
export const CLAIM = question(
  "claim",
  [
    v.object({ codes, held: heldKeys }),
    v.object({
      theirs: keys,
      others: v.pipe(v.array(v.object({ at, users })), v.maxLength(CODES_MAX)),
    }),
  ],
  { query: KEYS_BYTES_MAX, answer: KEYS_BYTES_MAX },
);

const settled = v.object({ codes, held: heldKeys, isDone: v.boolean() });
/** To the desk: these are over here, with a fact or without. */
export const SETTLED: NoticeType<v.InferOutput<typeof settled>> = {
  name: "/mf/sharing/1/settled",
  message: message(settled, KEYS_BYTES_MAX),
};

const over = v.object({ keys, by: peerId, isDone: v.boolean() });
/** From the desk to who waits for them. */
export const OVER: NoticeType<v.InferOutput<typeof over>> = {
  name: "/mf/sharing/1/over",
  message: message(over, KEYS_BYTES_MAX),
};

const leave = v.object({ codes });
/** To the desk: no run with these codes goes on here any more. */
export const LEAVE: NoticeType<v.InferOutput<typeof leave>> = {
  name: "/mf/sharing/1/leave",
  message: message(leave, CODES_BYTES_MAX),
};

export type HeldByCode = v.InferOutput<typeof heldKeys>;
