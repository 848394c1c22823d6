/** Schemas of the nouns that runs are told with: the same forms as in src/model, src/engine and src/client, checked for strangers. */
import * as v from "valibot";
import { ERROR_TABLE, type ErrorCode } from "../model/error-table.ts";
import type { Cid, CodeId, MemoKey, RunId } from "../model/ids.ts";
import type { PeerId } from "../model/peer.ts";

const TEXT_CHARS_MAX = 4096;
const STEPS_MAX = 10_000;
const PEERS_MAX = 4096;

export const text = v.pipe(v.string(), v.maxLength(TEXT_CHARS_MAX));
export const name = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** ms; a clock's reading may have a fraction. */
export const time = v.pipe(v.number(), v.finite(), v.minValue(0));
export const indexPath = v.pipe(v.array(count), v.maxLength(64), v.readonly());
export const peerCounts = v.pipe(v.record(name, count), v.maxEntries(PEERS_MAX));

export const cid = v.pipe(
  v.string(),
  v.regex(/^b[a-z2-7]{50,120}$/),
  v.transform((id) => id as Cid),
);
export const peerId = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(128),
  v.transform((id) => id as PeerId),
);
export const runRef = v.object({
  flow: v.pipe(v.string(), v.regex(/^[A-Za-z_][\w-]{0,255}$/)),
  id: v.pipe(
    v.string(),
    v.regex(/^[0-9a-z]{1,26}$/),
    v.transform((id) => id as RunId),
  ),
});

/** An error of a newer peer may have a code that this one does not know. */
const errorCode = v.pipe(
  v.string(),
  v.maxLength(64),
  v.transform((code): ErrorCode =>
    Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : "INTERNAL",
  ),
);
export const errorRecord = v.object({
  code: errorCode,
  details: v.record(v.pipe(v.string(), v.maxLength(64)), v.unknown()),
  stack: v.exactOptional(v.pipe(v.string(), v.maxLength(64 * 1024))),
});

export const runState = v.picklist(["waiting", "running", "succeeded", "failed", "cancelled"]);
const stepState = v.picklist(["waiting", "running", "succeeded", "failed", "cancelled", "skipped"]);

const taskCounts = v.object({
  total: count,
  succeeded: count,
  failed: count,
  reused: count,
  executed: count,
});

export const runSummary = v.object({
  run: runRef,
  state: runState,
  createdAt: time,
  finishedAt: v.exactOptional(time),
  user: text,
  file: text,
  bundleId: text,
  counts: taskCounts,
  pid: count,
  owner: v.exactOptional(v.object({ peer: peerId, name, ballot: count })),
});

export const runStatus = v.object({
  run: text,
  flow: name,
  state: runState,
  owner: name,
  sealed: v.boolean(),
  steps: v.pipe(
    v.array(
      v.object({
        name,
        state: stepState,
        tasks: v.object({
          total: count,
          succeeded: count,
          failed: count,
          reused: count,
          running: count,
        }),
        peers: peerCounts,
      }),
    ),
    v.maxLength(STEPS_MAX),
    v.readonly(),
  ),
  attempts: v.object({ total: count, lost: count, failed: count }),
  error: v.exactOptional(errorRecord),
});

const stepProgress = v.object({
  name,
  state: stepState,
  total: v.exactOptional(count),
  running: count,
  succeeded: count,
  failed: count,
  reused: count,
  wallMs: time,
  fraction: v.exactOptional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
  note: v.exactOptional(text),
});

export const runProgress = v.object({
  state: runState,
  steps: v.pipe(v.array(stepProgress), v.maxLength(STEPS_MAX), v.readonly()),
  elapsedMs: time,
});

const taskFailure = v.object({ step: name, index: indexPath, attempt: count, error: errorRecord });

export const runResult = v.object({
  run: runRef,
  state: runState,
  durationMs: time,
  tasks: taskCounts,
  failures: v.pipe(v.array(taskFailure), v.maxLength(64), v.readonly()),
});

export const runEvent = v.variant("t", [
  v.object({ t: v.literal("run-started"), run: runRef }),
  v.object({ t: v.literal("step-started"), step: name, total: v.exactOptional(count) }),
  v.object({ t: v.literal("step-finished"), step: name, progress: stepProgress }),
  v.object({
    t: v.literal("attempt-failed"),
    failure: taskFailure,
    retryInMs: v.exactOptional(time),
  }),
  v.object({ t: v.literal("run-finished"), result: runResult }),
]);

export const artifactRef = v.object({ id: cid, bytes: count, kind: text });

export const fact = v.object({
  v: v.literal(1),
  memoKey: v.pipe(
    v.string(),
    v.regex(/^[0-9a-f]{64}$/),
    v.transform((key) => key as MemoKey),
  ),
  flow: name,
  step: name,
  code: v.pipe(
    v.string(),
    v.maxLength(128),
    v.transform((code) => code as CodeId),
  ),
  env: v.pipe(v.string(), v.maxLength(64 * 1024)),
  seed: text,
  inputs: v.record(name, text),
  outputs: v.record(name, artifactRef),
  by: name,
  at: time,
  wallMs: time,
  cpuMs: time,
  rssBytesMax: time,
});
