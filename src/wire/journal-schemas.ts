/** Journal entries as they cross the wire. */
import * as v from "valibot";
import { RESULTS_KEPT_MAX, type JournalEntry } from "../model/journal.ts";
import {
  cid,
  codeId,
  count,
  errorRecord,
  fields,
  FIELDS_MAX,
  indexPath,
  longText,
  memoKey,
  nameText,
  peerId,
  resultId,
  runOrigin,
  runOwner,
  runState,
  time,
} from "./noun-schemas.ts";

/** Tasks that one journal entry may name: a commit of the engine, twice over. */
export const ENTRY_TASKS_MAX = 1024;
const KEEPERS_MAX = 16;

export const keepers = v.pipe(v.array(peerId), v.maxLength(KEEPERS_MAX));

const succeededSchema = v.object({
  step: nameText,
  index: indexPath,
  memoKey: memoKey,
  result: v.exactOptional(resultId),
  attempt: v.exactOptional(count),
  by: nameText,
  wallMs: time,
});

const entrySchema = v.variant("t", [
  v.object({
    t: v.literal("run-started"),
    at: time,
    user: nameText,
    file: longText,
    bundleId: nameText,
    packageId: cid,
    params: fields(cid),
    paramTexts: fields(longText),
    versions: fields(cid),
    seed: nameText,
    codes: fields(codeId),
    options: v.object({
      maxTasks: v.exactOptional(count),
      maxWorkers: v.exactOptional(count),
      noCache: v.exactOptional(v.boolean()),
      labels: v.exactOptional(v.pipe(v.array(nameText), v.maxLength(FIELDS_MAX))),
      rerun: v.exactOptional(v.pipe(v.array(nameText), v.maxLength(FIELDS_MAX))),
      results: v.exactOptional(
        v.pipe(v.array(v.object({ memoKey, result: resultId })), v.maxLength(RESULTS_KEPT_MAX)),
      ),
    }),
    origin: v.exactOptional(runOrigin),
    sources: v.exactOptional(
      fields(v.object({ id: cid, version: cid, files: count, bytes: count })),
    ),
    project: v.exactOptional(nameText),
    branch: v.exactOptional(nameText),
    version: v.exactOptional(nameText),
  }),
  v.object({
    t: v.literal("owner-changed"),
    at: time,
    owner: runOwner,
    keepers,
  }),
  v.object({
    t: v.literal("tasks-succeeded"),
    at: time,
    tasks: v.pipe(v.array(succeededSchema), v.maxLength(ENTRY_TASKS_MAX)),
  }),
  v.object({
    t: v.literal("attempt-failed"),
    at: time,
    step: nameText,
    index: indexPath,
    attempt: count,
    outcome: v.picklist(["failed", "lost", "cancelled"]),
    final: v.boolean(),
    error: errorRecord,
    by: nameText,
  }),
  v.object({
    t: v.literal("run-finished"),
    at: time,
    state: runState,
    error: v.exactOptional(errorRecord),
  }),
]) satisfies v.GenericSchema<unknown, JournalEntry>;

export const journalEntrySchema: v.GenericSchema<JournalEntry> =
  entrySchema as unknown as v.GenericSchema<JournalEntry>;
