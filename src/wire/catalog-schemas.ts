/** What the catalog's answers are made of: the same forms as in src/engine and src/client, checked for strangers. */
import * as v from "valibot";
import { count, errorRecord, indexPath, nameText, runRef, runState, time } from "./noun-schemas.ts";

const TEXT_CHARS_MAX = 4096;
const STEPS_MAX = 10_000;
const PEERS_MAX = 4096;

export const text = v.pipe(v.string(), v.maxLength(TEXT_CHARS_MAX));
export const peerCounts = v.pipe(v.record(nameText, count), v.maxEntries(PEERS_MAX));

const stepState = v.picklist(["waiting", "running", "succeeded", "failed", "cancelled", "skipped"]);

const taskCounts = v.object({
  total: count,
  succeeded: count,
  failed: count,
  reused: count,
  executed: count,
});

export const runStatus = v.object({
  run: text,
  flow: nameText,
  state: runState,
  owner: nameText,
  sealed: v.boolean(),
  steps: v.pipe(
    v.array(
      v.object({
        name: nameText,
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
  name: nameText,
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

const taskFailure = v.object({
  step: nameText,
  index: indexPath,
  attempt: count,
  error: errorRecord,
});

export const runResult = v.object({
  run: runRef,
  state: runState,
  durationMs: time,
  tasks: taskCounts,
  failures: v.pipe(v.array(taskFailure), v.maxLength(64), v.readonly()),
  cutOffs: v.exactOptional(
    v.pipe(v.array(v.object({ step: nameText, reused: count })), v.maxLength(64), v.readonly()),
  ),
});

export const runEvent = v.variant("t", [
  v.object({ t: v.literal("run-started"), run: runRef }),
  v.object({ t: v.literal("step-started"), step: nameText, total: v.exactOptional(count) }),
  v.object({ t: v.literal("step-finished"), step: nameText, progress: stepProgress }),
  v.object({
    t: v.literal("attempt-failed"),
    failure: taskFailure,
    retryInMs: v.exactOptional(time),
  }),
  v.object({ t: v.literal("run-finished"), result: runResult }),
]);
