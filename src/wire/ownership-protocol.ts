/** What owner and keepers of a run say to each other (`/mf/run/1`): journals grow, are asked for, change hands. */
import * as v from "valibot";
import { journalEntrySchema, keepers } from "./journal-schemas.ts";
import { encodedOnce, message } from "./message.ts";
import { cid, count, fact, peerId, runOwner, runRef, runSummary } from "./noun-schemas.ts";
import type { NoticeType, RequestType } from "./transport.ts";

/** A page of a journal with the facts it names: 512 tasks of about 1 KiB, and small content beside them. */
export const PAGE_BYTES_MAX = 4 * 1024 * 1024;
export const PAGE_ENTRIES_MAX = 512;
export const PAGE_FACTS_MAX = 4096;
/** Owners a run may have had. Each change is a peer that was lost. */
export const SPANS_MAX = 1024;

/** One owner's part of a journal: who wrote from where on. Two journals that share a span agree as far as both have it. */
const spanSchema = v.object({ ballot: count, peer: peerId, from: count });
const viewFields = {
  length: count,
  spans: v.pipe(v.array(spanSchema), v.maxLength(SPANS_MAX)),
  hasEnded: v.boolean(),
};

const bytes: v.GenericSchema<Uint8Array> = v.instance(Uint8Array);

const pageSchema = v.object({
  run: runRef,
  /** The highest owner the sender knows of. */
  by: runOwner,
  /** Of the sender's whole journal. */
  view: v.object(viewFields),
  from: count,
  entries: v.pipe(v.array(journalEntrySchema), v.maxLength(PAGE_ENTRIES_MAX)),
  facts: v.pipe(v.array(fact), v.maxLength(PAGE_FACTS_MAX)),
  inline: v.pipe(v.array(v.object({ id: cid, data: bytes })), v.maxLength(PAGE_FACTS_MAX)),
  summary: v.exactOptional(runSummary),
});

export type JournalPage = v.InferOutput<typeof pageSchema>;
export type JournalView = JournalPage["view"];
export type JournalSpan = JournalView["spans"][number];

const runQuery = v.object({ run: runRef });

/** Owner to keeper. The answer says how much of the owner's journal the keeper has now: less than sent means send from there. */
const appendAnswer = v.object({ length: count });
export const RUN_APPEND: RequestType<JournalPage, v.InferOutput<typeof appendAnswer>> = {
  name: "/mf/run/1/append",
  query: encodedOnce(message(pageSchema, PAGE_BYTES_MAX)),
  answer: message(appendAnswer),
};

/** Owner to keeper: bring the package and the parameters here, so that the run can go on without me. */
const keepAnswer = v.object({ isStored: v.boolean() });
export const RUN_KEEP: RequestType<
  v.InferOutput<typeof runQuery>,
  v.InferOutput<typeof keepAnswer>
> = { name: "/mf/run/1/keep", query: message(runQuery), answer: message(keepAnswer) };

/** What do you know of this run? Asked before a claim. */
const stateAnswer = v.object({
  isKnown: v.boolean(),
  by: v.exactOptional(runOwner),
  view: v.exactOptional(v.object(viewFields)),
});
export type RunStateAnswer = v.InferOutput<typeof stateAnswer>;
export const RUN_STATE: RequestType<v.InferOutput<typeof runQuery>, RunStateAnswer> = {
  name: "/mf/run/1/state",
  query: message(runQuery),
  answer: message(stateAnswer),
};

/** The journal from where the asker's and the answerer's part. */
const pullQuery = v.object({ run: runRef, view: v.object(viewFields) });
const pullAnswer = v.object({ page: v.exactOptional(pageSchema) });
export const JOURNAL_PULL: RequestType<
  v.InferOutput<typeof pullQuery>,
  v.InferOutput<typeof pullAnswer>
> = {
  name: "/mf/run/1/journal-pull",
  query: message(pullQuery),
  answer: message(pullAnswer, PAGE_BYTES_MAX),
};

/** Owner to keeper: take this run over, I am about to stop. `by` in the answer: the run is yours. */
const ownAnswer = v.object({ by: v.exactOptional(runOwner) });
export const RUN_OWN: RequestType<
  v.InferOutput<typeof runQuery>,
  v.InferOutput<typeof ownAnswer>
> = { name: "/mf/run/1/own-run", query: message(runQuery), answer: message(ownAnswer) };

/** The run is mine: told to whoever may have held it, until it answers with the highest owner it knows of. */
const tellAnswer = v.object({ by: v.exactOptional(runOwner) });
/** To all peers, as the notice: this run is mine. */
const ownerNotice = v.object({ run: runRef, by: runOwner, keepers });
export type OwnerNotice = v.InferOutput<typeof ownerNotice>;
export const RUN_TELL: RequestType<OwnerNotice, v.InferOutput<typeof tellAnswer>> = {
  name: "/mf/run/1/tell",
  query: message(ownerNotice),
  answer: message(tellAnswer),
};
export const RUN_OWNER: NoticeType<OwnerNotice> = {
  name: "/mf/run/1/owner",
  message: message(ownerNotice),
};
