/** The nouns of src/model as they cross the wire: everything that a peer says of them is checked against these. */
import * as v from "valibot";
import { ERROR_TABLE, type ErrorCode } from "../model/error-table.ts";
import type { ErrorRecord } from "../model/errors.ts";
import type { Cid, CodeId, MemoKey, ResultId, RunId } from "../model/ids.ts";
import { RUN_ORIGINS } from "../model/journal.ts";
import { MARK_KINDS, NOTE_CHARS_MAX, TAG_CHARS_MAX, tagFault, type Mark } from "../model/mark.ts";
import type { PeerId } from "../model/peer.ts";

const NAME_CHARS_MAX = 256;
export const LONG_TEXT_CHARS_MAX = 64 * 1024;
/** A run, or a content. */
const MARK_ON = /^(?:[A-Za-z_][\w-]{0,255}\/[0-9a-z]{1,32}|c:b[a-z2-7]{50,120})$/;
const LEVELS_MAX = 64;
export const FIELDS_MAX = 4096;

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** ms; a clock's reading may have a fraction. */
export const time = v.pipe(v.number(), v.finite(), v.minValue(0));
export const nameText = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_CHARS_MAX));
export const longText = v.pipe(v.string(), v.maxLength(LONG_TEXT_CHARS_MAX));
export const indexPath = v.pipe(v.array(count), v.maxLength(LEVELS_MAX), v.readonly());

/** Bounds of what may be a name of ours; what it is named after is not checked here. */
function branded<T extends string>(form: RegExp, what: string): v.GenericSchema<unknown, T> {
  return v.pipe(
    v.string(),
    v.regex(form, `not a ${what}`),
    v.transform((text) => text as T),
  );
}

export const cid = branded<Cid>(/^b[a-z2-7]{50,120}$/, "content id");
export const memoKey = branded<MemoKey>(/^[0-9a-f]{64}$/, "memo key");
export const resultId = branded<ResultId>(/^[0-9a-f]{32}$/, "result id");
export const codeId = branded<CodeId>(/^[0-9A-Za-z_-]{1,128}$/, "code id");
export const peerId = branded<PeerId>(/^[0-9A-Za-z]{1,128}$/, "peer id");
/** Names directories, so nothing that leads out of one. */
const runId = branded<RunId>(/^[0-9a-z]{1,32}$/, "run id");
export const runRef = v.object({
  flow: v.pipe(v.string(), v.regex(/^[A-Za-z_][\w-]{0,255}$/, "not a flow's name")),
  id: runId,
});

export function fields<S extends v.GenericSchema>(
  schema: S,
): v.GenericSchema<unknown, Record<string, v.InferOutput<S>>> {
  return v.pipe(
    v.record(v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX)), schema),
    v.maxEntries(FIELDS_MAX),
  );
}

/** A code that this version does not know becomes INTERNAL and keeps its name in the message. */
export const errorRecord = v.pipe(
  v.object({
    code: nameText,
    details: v.record(v.string(), v.unknown()),
    stack: v.exactOptional(longText),
  }),
  v.transform(({ code, details, stack }): ErrorRecord => {
    const known = isErrorCode(code)
      ? { code, details }
      : { code: "INTERNAL" as const, details: { ...details, message: code } };
    return stack === undefined ? known : { ...known, stack };
  }),
);

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code);
}

export const runState = v.picklist(["waiting", "running", "succeeded", "failed", "cancelled"]);

export const runOwner = v.object({ peer: peerId, name: nameText, ballot: count });

export const runOrigin = v.object({
  run: nameText,
  how: v.picklist(RUN_ORIGINS),
});

export const runSummary = v.object({
  run: runRef,
  state: runState,
  createdAt: time,
  finishedAt: v.exactOptional(time),
  user: nameText,
  file: longText,
  bundleId: nameText,
  counts: v.object({
    total: count,
    succeeded: count,
    failed: count,
    reused: count,
    executed: count,
  }),
  pid: count,
  owner: v.exactOptional(runOwner),
  imported: v.exactOptional(v.object({ at: time, hasData: v.boolean() })),
  origin: v.exactOptional(runOrigin),
  project: v.exactOptional(nameText),
  branch: v.exactOptional(nameText),
  version: v.exactOptional(nameText),
});

export const artifactRef = v.object({ id: cid, bytes: count, kind: longText });

export const fact = v.object({
  v: v.literal(1),
  memoKey,
  // The facts of element tables belong to no flow and no step.
  flow: v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX)),
  step: v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX)),
  code: codeId,
  env: longText,
  seed: v.pipe(v.string(), v.maxLength(NAME_CHARS_MAX)),
  inputs: fields(longText),
  outputs: fields(artifactRef),
  by: nameText,
  at: time,
  wallMs: time,
  cpuMs: time,
  rssBytesMax: time,
  run: v.exactOptional(runId),
  page: v.exactOptional(cid),
});

export const factRef = v.object({ memoKey, result: v.exactOptional(resultId) });

export const mark = v.pipe(
  v.object({
    kind: v.picklist(MARK_KINDS),
    on: v.pipe(v.string(), v.regex(MARK_ON, "neither a run nor a content")),
    name: v.pipe(v.string(), v.maxLength(TAG_CHARS_MAX)),
    value: v.exactOptional(v.pipe(v.string(), v.maxLength(NOTE_CHARS_MAX))),
    at: time,
    by: nameText,
  }),
  v.check(
    ({ kind, name }) => (kind === "tag" ? tagFault(name) === undefined : name === ""),
    "no such name",
  ),
  v.transform((value): Mark => value),
);
