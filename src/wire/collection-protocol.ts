/** `/mf/collection/1`: which runs were removed, which files values name, and the request to free what nobody keeps. */
import * as v from "valibot";
import { message } from "./message.ts";
import { cid, count, fact, factRef, mark, nameText } from "./noun-schemas.ts";
import type { RequestType } from "./transport.ts";

const ANSWER_BYTES_MAX = 2 * 1024 * 1024;
/** Marks of one page. */
export const GONE_PAGE_MAX = 1_000;
/** Values that are looked into for one answer: each may be long. */
export const FILE_VALUES_MAX = 32;
/** Files that the values of one answer may name; a value that names more is looked into by nobody else. */
export const FILES_ANSWER_MAX = 16_384;
/** Facts that are asked for at once, and bytes of them (about) that one answer carries: what is missing is asked for again. */
export const FACT_REFS_MAX = 400;
export const FACTS_BYTES_MAX = 1024 * 1024;
/** Runs that a counting sweep takes for removed. */
export const ALSO_REMOVED_MAX = 10_000;

/** Removals as this peer has them, set or taken back. */
export const askGone: RequestType<GoneQuery, GoneAnswer> = {
  name: "/mf/collection/1/gone",
  query: message(v.object({ from: count })),
  answer: message(
    v.object({
      marks: v.pipe(v.array(mark), v.maxLength(GONE_PAGE_MAX)),
      next: v.exactOptional(count),
    }),
    ANSWER_BYTES_MAX,
  ),
};

/** As the catalog's question for facts, except that nobody is about to build on the answer. */
export const askNamedFacts: RequestType<FactsQuery, FactsAnswer> = {
  name: "/mf/collection/1/facts",
  query: message(v.object({ refs: v.pipe(v.array(factRef), v.maxLength(FACT_REFS_MAX)) })),
  answer: message(
    v.object({ facts: v.pipe(v.array(fact), v.maxLength(FACT_REFS_MAX)) }),
    ANSWER_BYTES_MAX,
  ),
};

/** Of those values that are with this peer. */
export const askFiles: RequestType<FilesQuery, FilesAnswer> = {
  name: "/mf/collection/1/files",
  query: message(v.object({ ids: v.pipe(v.array(cid), v.maxLength(FILE_VALUES_MAX)) })),
  answer: message(
    v.object({
      found: v.pipe(
        v.array(v.object({ id: cid, files: v.pipe(v.array(cid), v.maxLength(FILES_ANSWER_MAX)) })),
        v.maxLength(FILE_VALUES_MAX),
      ),
    }),
    ANSWER_BYTES_MAX,
  ),
};

/** Collect now; answered when it is done. `alsoRemoved` (`flow/id`): only where nothing is taken. */
export const askSweep: RequestType<SweepQuery, SweepAnswer> = {
  name: "/mf/collection/1/sweep",
  query: message(
    v.object({
      isDryRun: v.boolean(),
      alsoRemoved: v.pipe(v.array(nameText), v.maxLength(ALSO_REMOVED_MAX)),
    }),
    ANSWER_BYTES_MAX,
  ),
  answer: message(
    v.object({
      runs: count,
      facts: count,
      contents: count,
      bytes: count,
      /** A copy may be larger than what it makes room for. */
      diskBytes: v.pipe(v.number(), v.safeInteger()),
      isComplete: v.boolean(),
    }),
  ),
};

type GoneQuery = { readonly from: number };
type GoneAnswer = { readonly marks: v.InferOutput<typeof mark>[]; readonly next?: number };
type FactsQuery = { readonly refs: v.InferOutput<typeof factRef>[] };
type FactsAnswer = { readonly facts: v.InferOutput<typeof fact>[] };
type FilesQuery = { readonly ids: v.InferOutput<typeof cid>[] };
type FilesAnswer = {
  readonly found: {
    readonly id: v.InferOutput<typeof cid>;
    readonly files: v.InferOutput<typeof cid>[];
  }[];
};
type SweepQuery = { readonly isDryRun: boolean; readonly alsoRemoved: string[] };
type SweepAnswer = {
  readonly runs: number;
  readonly facts: number;
  readonly contents: number;
  readonly bytes: number;
  readonly diskBytes: number;
  readonly isComplete: boolean;
};
