/**
 * Pieces of the placement protocol's messages. An attempt and an outcome travel as bytes of their own inside a message, each with
 * its own scan and limit: a collect() over ten thousand values is one attempt with as many inputs.
 */
import * as v from "valibot";
import type { InputSource } from "../model/fact.ts";
import { message } from "./message.ts";
import { cid, count, errorRecord, memoKey, nameText, time } from "./noun-schemas.ts";

/** Attempts of one grant; the engine's batches are smaller (BATCH_ATTEMPTS_MAX). */
export const GRANT_ATTEMPTS_MAX = 512;

/** One attempt with its inputs, or one outcome with its small outputs. */
export const ATTEMPT_BYTES_MAX = 2 * 1024 * 1024;

const KIND_CHARS_MAX = 1_000;

export const size = v.pipe(v.number(), v.finite(), v.minValue(0));
export const bytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "not bytes");
/** Names files of the worker, so nothing that leads out of a directory. */
export const leaseId = v.pipe(v.string(), v.regex(/^[0-9a-z]{1,24}-[0-9a-z]{1,12}$/));
export const demand = v.object({ cores: size, memBytes: size, gpus: count });

/** What is free at a worker for whoever is told. */
export const room = v.object({
  /** Batches that could begin at once in shared hosts. */
  slots: count,
  /** Short batches that may wait there. */
  queue: count,
  cores: v.pipe(v.number(), v.finite()),
  memBytes: v.pipe(v.number(), v.finite()),
  gpus: v.pipe(v.number(), v.integer()),
});
export type Room = v.InferOutput<typeof room>;

const path = v.pipe(v.array(v.string()), v.maxLength(64));
const inputSource: v.GenericSchema<unknown, InputSource> = v.lazy(() =>
  v.variant("k", [artifactSource, bytesSource, listSource, objectSource]),
);
const artifactSource = v.pipe(
  v.object({ k: v.literal("artifact"), id: cid, path: v.exactOptional(path) }),
  v.transform(({ k, id, path: inside }): InputSource =>
    inside === undefined ? { k, id } : { k, id, path: inside },
  ),
);
const bytesSource = v.object({ k: v.literal("bytes"), id: cid, data: bytes });
const listSource = v.object({ k: v.literal("list"), items: v.array(inputSource) });
const objectSource = v.object({
  k: v.literal("object"),
  fields: v.record(v.string(), inputSource),
});

const taskInputs = v.union([
  v.object({ whole: inputSource }),
  v.object({ fields: v.record(v.string(), inputSource) }),
]);

/** An attempt together with the task it belongs to. */
const wireAttempt = v.object({
  index: v.pipe(v.array(count), v.maxLength(32)),
  attempt: count,
  inputs: taskInputs,
  seed: v.string(),
  catching: v.exactOptional(errorRecord),
  memoKey,
  inputIds: v.record(v.string(), v.string()),
});
export type WireAttempt = v.InferOutput<typeof wireAttempt>;
export const ATTEMPT = message(wireAttempt, ATTEMPT_BYTES_MAX);

const storedOutput = v.object({
  ref: v.object({ id: cid, bytes: count, kind: v.pipe(v.string(), v.maxLength(KIND_CHARS_MAX)) }),
  data: v.exactOptional(bytes),
});

/** As the worker made the fact. The page itself comes with the first outcome of a message that is on it. */
const made = v.object({
  by: nameText,
  at: time,
  page: cid,
  data: v.exactOptional(bytes),
});

/** `position` counts within the grant. `lost` with PEER_LOST is the owner's word, never a worker's. */
const wireOutcome = v.object({
  position: v.pipe(count, v.maxValue(GRANT_ATTEMPTS_MAX - 1)),
  result: v.picklist(["succeeded", "failed", "cancelled", "not-started", "lost"]),
  outputs: v.exactOptional(v.record(v.string(), storedOutput)),
  tables: v.exactOptional(v.record(v.string(), storedOutput)),
  error: v.exactOptional(errorRecord),
  made: v.exactOptional(made),
  wallMs: size,
  cpuMs: size,
  rssBytesMax: size,
});
export type WireOutcome = v.InferOutput<typeof wireOutcome>;
export const OUTCOME = message(wireOutcome, ATTEMPT_BYTES_MAX);
