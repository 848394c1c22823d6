/**
 * `/mf/catalog/1`: what a peer knows of runs, versions and logs, and the two things one asks of a run's owner: where it stands, and
 * its end. Long answers come in pages. The schemas have the form of the nouns they carry (RunSummary, RunStatus, RunProgress, …).
 */
import * as v from "valibot";
import type { Cid, MemoKey } from "../model/ids.ts";
import {
  peerCounts,
  runEvent,
  runProgress,
  runResult,
  runStatus,
  text,
} from "./catalog-schemas.ts";
import { journalEntrySchema } from "./journal-schemas.ts";
import { message } from "./message.ts";
import {
  artifactRef,
  cid,
  count,
  fact,
  factRef,
  fields,
  indexPath,
  longText,
  nameText,
  peerId,
  runRef,
  runState,
  runSummary,
  time,
} from "./noun-schemas.ts";
import type { RequestType } from "./transport.ts";

/** A page of rows; whoever wants more asks again. */
export const PAGE_BYTES_MAX = 2 * 1024 * 1024;
/** Rows of one page: with about 15 items each they stay under the scan's limit. */
export const PAGE_ROWS_MAX = 2_000;
/** Facts name every input and output of a task: fewer of them fit. */
export const PAGE_TASKS_MAX = 500;
/** Of one file of logs; a reader of many files asks for less. */
export const LOG_PAGE_BYTES_MAX = 256 * 1024;
/** Records of one page: a record is a line of at least some 40 bytes. */
export const LOG_RECORDS_MAX = 8_192;
/** Events of a run that one answer carries. */
export const EVENTS_PAGE_MAX = 256;

const from = v.exactOptional(count);
const page = { from, limit: v.pipe(count, v.minValue(1), v.maxValue(PAGE_ROWS_MAX)) };
const next = { next: v.exactOptional(count) };

function question<Q extends v.GenericSchema, A extends v.GenericSchema>(
  what: string,
  query: Q,
  answer: A,
): RequestType<v.InferOutput<Q>, v.InferOutput<A>> {
  return {
    name: `/mf/catalog/1/${what}`,
    query: message(query),
    answer: message(answer, PAGE_BYTES_MAX),
  };
}

/** Runs that are in its store, newest first. */
export const askRuns = question(
  "runs",
  v.object({ flow: v.exactOptional(nameText), ...page }),
  v.object({ rows: v.pipe(v.array(runSummary), v.maxLength(PAGE_ROWS_MAX)), ...next }),
);

/** One run, and whether it goes on there; `owner`: who schedules it as far as this peer knows. */
export const askRun = question(
  "run",
  v.object({ run: runRef }),
  v.object({
    summary: v.exactOptional(runSummary),
    packageId: v.exactOptional(cid),
    isLive: v.boolean(),
    owner: v.exactOptional(v.object({ peer: peerId, name: nameText })),
  }),
);

/** Runs of one question, and what one answer says of them: a row has some 30 items. */
export const VERSION_RUNS_MAX = 32;
export const VERSION_PARTS_MAX = 6_500;
export const VERSION_LACKING_MAX = 2_700;
/** Names that may be asked about alone. */
export const VERSION_ONLY_MAX = 256;

const versionKind = v.picklist(["artifact", "source", "code"]);

const versionPart = v.object({
  what: versionKind,
  artifact: text,
  id: nameText,
  run: text,
  runAt: time,
  user: nameText,
  at: time,
  by: nameText,
  lastRun: text,
  seenAt: time,
  seen: count,
  bytes: count,
  kind: longText,
  code: v.pipe(v.string(), v.maxLength(128)),
});

const lackedTask = v.object({
  run: text,
  task: text,
  ref: factRef,
  at: time,
  by: nameText,
  code: v.pipe(v.string(), v.maxLength(128)),
});

const versionsCursor = v.object({ run: count, task: count });

/**
 * What the named runs say of versions, as far as this peer knows them: parts to be put together with those of other runs, and tasks
 * whose facts it lacks. `next`: from which run (a position in the question) and which of its tasks on the next question asks.
 */
export const askVersions = question(
  "versions-of-runs",
  v.object({
    runs: v.pipe(v.array(runRef), v.minLength(1), v.maxLength(VERSION_RUNS_MAX)),
    from: v.exactOptional(versionsCursor),
    what: v.pipe(v.array(versionKind), v.maxLength(3)),
    flow: v.exactOptional(text),
    step: v.exactOptional(text),
    artifact: v.exactOptional(text),
    source: v.exactOptional(text),
    only: v.exactOptional(v.pipe(v.array(text), v.maxLength(VERSION_ONLY_MAX))),
    since: v.exactOptional(time),
    until: v.exactOptional(time),
    peer: v.exactOptional(nameText),
    params: v.exactOptional(fields(longText)),
  }),
  v.object({
    parts: v.pipe(v.array(versionPart), v.maxLength(VERSION_PARTS_MAX)),
    lacking: v.pipe(v.array(lackedTask), v.maxLength(VERSION_LACKING_MAX)),
    next: v.exactOptional(versionsCursor),
  }),
);

/** Absent where the run is not in its store. */
export const askStatus = question(
  "status",
  v.object({ run: runRef }),
  v.object({ status: v.exactOptional(runStatus) }),
);

/** The finished tasks of a step with their facts, in index order; a fact that is not there may be with another peer. */
export const askResolve = question(
  "resolve",
  v.object({ run: runRef, step: nameText, index: v.exactOptional(indexPath), from }),
  v.object({
    tasks: v.pipe(
      v.array(
        v.object({
          index: indexPath,
          memoKey: v.pipe(
            v.string(),
            v.regex(/^[0-9a-f]{64}$/),
            v.transform((key) => key as MemoKey),
          ),
          by: nameText,
          fact: v.exactOptional(fact),
        }),
      ),
      v.maxLength(PAGE_TASKS_MAX),
    ),
    ...next,
  }),
);

/** Entries of a run's journal, as far as this peer has it, from a position on. */
export const PAGE_ENTRIES_MAX = 512;
export const askJournal = question(
  "journal",
  v.object({ run: runRef, from }),
  v.object({ rows: v.pipe(v.array(journalEntrySchema), v.maxLength(PAGE_ENTRIES_MAX)), ...next }),
);

/** Facts that this peer has of those asked for, in any order: a refusal is a fact that is not there. */
export const FACT_REFS_MAX = 400;
export const askFacts = question(
  "facts",
  v.object({ refs: v.pipe(v.array(factRef), v.maxLength(FACT_REFS_MAX)) }),
  v.object({ facts: v.pipe(v.array(fact), v.maxLength(FACT_REFS_MAX)) }),
);

/** What is stored under an id that begins so; at most a handful, to say which they are. */
export const CONTENTS_MAX = 6;
export const askContents = question(
  "contents",
  v.object({ prefix: v.pipe(v.string(), v.regex(/^b[a-z2-7]{3,120}$/)) }),
  v.object({ refs: v.pipe(v.array(artifactRef), v.maxLength(CONTENTS_MAX)) }),
);

const logRecord = v.object({
  t: time,
  i: v.pipe(v.string(), v.maxLength(512)),
  a: count,
  s: v.picklist(["out", "err"]),
  m: v.string(),
  c: v.exactOptional(v.literal(true)),
});

/** Without `step`: which steps printed anything there. With it: what they printed, from an offset on. */
export const askLogs = question(
  "logs",
  v.object({
    run: runRef,
    step: v.exactOptional(nameText),
    index: v.exactOptional(indexPath),
    from,
    bytesMax: v.pipe(count, v.minValue(1), v.maxValue(LOG_PAGE_BYTES_MAX)),
  }),
  v.object({
    steps: v.pipe(v.array(nameText), v.maxLength(PAGE_ROWS_MAX)),
    records: v.pipe(v.array(logRecord), v.maxLength(LOG_RECORDS_MAX)),
    next: count,
    isEnd: v.boolean(),
  }),
);

/** The longest that an owner keeps a question about progress waiting. */
export const PROGRESS_WAIT_MS_MAX = 1_000;

/**
 * Where a run stands with its owner, and its events behind `after`. With `waitMs` the answer comes after that time, or with the
 * run's end. `isOwner` false: ask `owner`, if it is known. A sequence
 * belongs to one `feed`: with another owner, or after a restart, it starts over.
 */
export const askProgress = question(
  "progress",
  v.object({
    run: runRef,
    feed: v.exactOptional(text),
    after: count,
    waitMs: v.exactOptional(v.pipe(count, v.maxValue(PROGRESS_WAIT_MS_MAX))),
  }),
  v.object({
    isOwner: v.boolean(),
    owner: v.exactOptional(v.object({ peer: peerId, name: nameText })),
    feed: v.exactOptional(text),
    progress: v.exactOptional(runProgress),
    peers: v.exactOptional(peerCounts),
    events: v.pipe(
      v.array(v.object({ seq: count, event: runEvent })),
      v.maxLength(EVENTS_PAGE_MAX),
    ),
    result: v.exactOptional(runResult),
  }),
);

/** `isDone` false: this peer does not own it; ask `owner`, if it is known. */
export const askCancel = question(
  "cancel",
  v.object({ run: runRef }),
  v.object({
    isDone: v.boolean(),
    owner: v.exactOptional(v.object({ peer: peerId, name: nameText })),
    state: v.exactOptional(runState),
  }),
);

/** A whole id, not the beginning of one. */
export function isWholeCid(value: string): value is Cid {
  return v.is(cid, value);
}
