/** What peers ask each other about content: who has it, a key to the lane over which its bytes go, please keep a copy. */
import * as v from "valibot";
import { message } from "./message.ts";
import type { NoticeType, RequestType } from "./transport.ts";

/** Ids in one question. */
export const HAVE_IDS_MAX = 4096;
/** Small content that comes with the answer: each up to this, */
export const INLINE_EACH_BYTES_MAX = 16 * 1024;
/** manifests, without which nothing can be asked for, up to this, */
export const INLINE_MANIFEST_BYTES_MAX = 128 * 1024;
/** and all together up to this. */
export const INLINE_ALL_BYTES_MAX = 256 * 1024;
/** Ids in one request to keep copies. */
export const HOLD_IDS_MAX = 256;
/** Addresses of one lane. */
export const LANE_HOSTS_MAX = 16;
export const LANE_KEY_BYTES = 32;

const HAVE_QUERY_BYTES_MAX = 320 * 1024;
const HAVE_ANSWER_BYTES_MAX = INLINE_ALL_BYTES_MAX + 64 * 1024;

const id = v.pipe(v.string(), v.maxLength(61));
const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array);

const haveQuery = v.object({
  ids: v.pipe(v.array(id), v.maxLength(HAVE_IDS_MAX)),
  /** Small content may come with the answer. */
  inline: v.boolean(),
});
const haveAnswer = v.object({
  /** In the order of the ids: bytes of the content, -1 where it is not here. */
  sizes: v.pipe(
    v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(-1))),
    v.maxLength(HAVE_IDS_MAX),
  ),
  /** `at`: index into the ids. Of a cut artifact, its manifest. */
  inline: v.pipe(
    v.array(
      v.object({
        at: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(HAVE_IDS_MAX - 1)),
        data: bytes,
      }),
    ),
    v.maxLength(HAVE_IDS_MAX),
  ),
});
export type HaveAnswer = v.InferOutput<typeof haveAnswer>;

export const HAVE: RequestType<v.InferOutput<typeof haveQuery>, HaveAnswer> = {
  name: "/mf/bulk/1/have",
  query: message(haveQuery, HAVE_QUERY_BYTES_MAX),
  answer: message(haveAnswer, HAVE_ANSWER_BYTES_MAX),
};

const ticketQuery = v.object({
  /** How the lane is secured: TLS 1.3 with a pre-shared key. */
  lane: v.literal("tls-psk"),
});
const ticketAnswer = v.object({
  hosts: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.maxLength(LANE_HOSTS_MAX)),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
  identity: v.pipe(v.string(), v.minLength(16), v.maxLength(64)),
  key: v.pipe(bytes, v.length(LANE_KEY_BYTES)),
  /** From now on. */
  expiresMs: v.pipe(v.number(), v.minValue(0), v.maxValue(600_000)),
});
export type LaneTicket = v.InferOutput<typeof ticketAnswer>;

/** Opens one lane for the peer that asks, once, soon. */
export const TICKET: RequestType<v.InferOutput<typeof ticketQuery>, LaneTicket> = {
  name: "/mf/bulk/1/ticket",
  query: message(ticketQuery, 1024),
  answer: message(ticketAnswer, 8 * 1024),
};

const holdQuery = v.object({ ids: v.pipe(v.array(id), v.maxLength(HOLD_IDS_MAX)) });
const holdAnswer = v.object({
  /** In the order of the ids: it is there now, durable. */
  held: v.pipe(v.array(v.boolean()), v.maxLength(HOLD_IDS_MAX)),
});

/** Please fetch these from me and keep them. The answer comes when that is done. */
export const PLEASE_HOLD: RequestType<
  v.InferOutput<typeof holdQuery>,
  v.InferOutput<typeof holdAnswer>
> = {
  name: "/mf/bulk/1/please-hold",
  query: message(holdQuery),
  answer: message(holdAnswer),
};

const doubt = v.object({
  digests: v.pipe(v.array(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))), v.maxLength(64)),
});

/** What you served under these digests (hex) does not hash to them: look at your copies. */
export const DOUBT: NoticeType<v.InferOutput<typeof doubt>> = {
  name: "/mf/bulk/1/doubt",
  message: message(doubt, 8 * 1024),
};
