/** Runs, journal entries and facts as they cross the wire: everything a peer says of them is checked against these. */
import * as v from "valibot";
import { ERROR_TABLE, type ErrorCode } from "../model/error-table.ts";
import type { Fact } from "../model/fact.ts";
import type { Cid, CodeId, MemoKey, RunId, RunRef } from "../model/ids.ts";
import type { JournalEntry, RunOwner, RunSummary } from "../model/journal.ts";
import type { PeerId } from "../model/peer.ts";

/** Tasks that one journal entry may name: a commit of the engine, twice over. */
export const ENTRY_TASKS_MAX = 1024;
const NAME_MAX = 256;
const TEXT_MAX = 64 * 1024;
const FIELDS_MAX = 4096;
const LEVELS_MAX = 64;
const KEEPERS_MAX = 16;

/** A branded name: what it means is decided where it is used, here only its size is. */
function name<T extends string>(max: number = NAME_MAX): v.GenericSchema<T> {
  return v.pipe(v.string(), v.maxLength(max)) as unknown as v.GenericSchema<T>;
}

const text = name<string>(TEXT_MAX);
const number = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const index = v.pipe(v.array(count), v.maxLength(LEVELS_MAX));

function fields<T>(schema: v.GenericSchema<T>): v.GenericSchema<Record<string, T>> {
  return v.pipe(
    v.record(v.pipe(v.string(), v.maxLength(NAME_MAX)), schema),
    v.check((value) => Object.keys(value).length <= FIELDS_MAX, "too many fields"),
  );
}

export const cidSchema = name<Cid>();
export const peerIdSchema = name<PeerId>();
export const memoKeySchema = name<MemoKey>();

export const runRefSchema: v.GenericSchema<RunRef> = v.object({
  flow: name<string>(),
  id: name<RunId>(64),
});

export const runOwnerSchema: v.GenericSchema<RunOwner> = v.object({
  peer: peerIdSchema,
  name: name<string>(),
  ballot: count,
});

/** A code of a newer version is something unexpected here. */
const errorCode = v.pipe(
  v.string(),
  v.transform((code): ErrorCode =>
    Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : "INTERNAL",
  ),
);

export const errorRecordSchema = v.object({
  code: errorCode,
  details: v.record(v.string(), v.unknown()),
  stack: v.exactOptional(text),
});

export const factSchema: v.GenericSchema<Fact> = v.object({
  v: v.literal(1),
  memoKey: memoKeySchema,
  flow: name<string>(),
  step: name<string>(),
  code: name<CodeId>(),
  env: text,
  seed: name<string>(),
  inputs: fields(text),
  outputs: fields(v.object({ id: cidSchema, bytes: count, kind: text })),
  by: name<string>(),
  at: number,
  wallMs: number,
  cpuMs: number,
  rssBytesMax: number,
});

const stateSchema = v.picklist(["waiting", "running", "succeeded", "failed", "cancelled"]);

export const keepersSchema = v.pipe(v.array(peerIdSchema), v.maxLength(KEEPERS_MAX));

const succeededSchema = v.object({
  step: name<string>(),
  index,
  memoKey: memoKeySchema,
  attempt: v.exactOptional(count),
  by: name<string>(),
  wallMs: number,
});

const entrySchema = v.variant("t", [
  v.object({
    t: v.literal("run-started"),
    at: number,
    user: name<string>(),
    file: text,
    bundleId: name<string>(),
    packageId: cidSchema,
    params: fields(cidSchema),
    paramTexts: fields(text),
    versions: fields(cidSchema),
    seed: name<string>(),
    codes: fields(name<CodeId>()),
    options: v.object({
      maxTasks: v.exactOptional(count),
      maxWorkers: v.exactOptional(count),
      noCache: v.exactOptional(v.boolean()),
      labels: v.exactOptional(v.pipe(v.array(name<string>()), v.maxLength(FIELDS_MAX))),
    }),
  }),
  v.object({
    t: v.literal("owner-changed"),
    at: number,
    owner: runOwnerSchema,
    keepers: keepersSchema,
  }),
  v.object({
    t: v.literal("tasks-succeeded"),
    at: number,
    tasks: v.pipe(v.array(succeededSchema), v.maxLength(ENTRY_TASKS_MAX)),
  }),
  v.object({
    t: v.literal("attempt-failed"),
    at: number,
    step: name<string>(),
    index,
    attempt: count,
    outcome: v.picklist(["failed", "lost", "cancelled"]),
    final: v.boolean(),
    error: errorRecordSchema,
    by: name<string>(),
  }),
  v.object({
    t: v.literal("run-finished"),
    at: number,
    state: stateSchema,
    error: v.exactOptional(errorRecordSchema),
  }),
]) satisfies v.GenericSchema<unknown, JournalEntry>;

export const journalEntrySchema: v.GenericSchema<JournalEntry> =
  entrySchema as unknown as v.GenericSchema<JournalEntry>;

export const runSummarySchema: v.GenericSchema<RunSummary> = v.object({
  run: runRefSchema,
  state: stateSchema,
  createdAt: number,
  finishedAt: v.exactOptional(number),
  user: name<string>(),
  file: text,
  bundleId: name<string>(),
  counts: v.object({
    total: count,
    succeeded: count,
    failed: count,
    reused: count,
    executed: count,
  }),
  pid: count,
  owner: v.exactOptional(runOwnerSchema),
});
