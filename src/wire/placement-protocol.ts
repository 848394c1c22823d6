/**
 * `/mf/task/1`: which peer runs a batch. The owner of a run probes, grants and cancels; the worker answers from its own ledger, pulls
 * when it has room, renews its leases and hands in outcomes until they are taken.
 */
import * as v from "valibot";
import { message } from "./message.ts";
import { cid, codeId, count, memoKey, nameText, peerId, runRef } from "./noun-schemas.ts";
import { bytes, demand, GRANT_ATTEMPTS_MAX, leaseId, room, size } from "./placement-values.ts";
import type { NoticeType, RequestType } from "./transport.ts";

/** A grant with its inline inputs, or an outcome with its inline outputs; what does not fit goes into another or is fetched. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Grants in one message: as many as a large peer has slots. */
export const GRANTS_MAX = 64;

/** Leases in one message: more than any peer can hold. */
export const LEASES_MAX = 2_048;

/** Inputs a probe asks for: the first ones say enough about where a batch belongs. */
export const PROBED_INPUTS_MAX = 256;

/** A step's code with the packages it reaches. */
export const CODE_BYTES_MAX = 16 * 1024 * 1024;

/** Progress reports in one renewal; the rest follows with the next. */
export const PROGRESS_MAX = 512;

const leases = v.pipe(v.array(leaseId), v.maxLength(LEASES_MAX));

const probe = v.object({
  demand,
  isExclusive: v.boolean(),
  /** Content the batch reads: which of it is there already? */
  inputs: v.pipe(v.array(cid), v.maxLength(PROBED_INPUTS_MAX)),
  /** Where there is no room: remember me, and pull when there is. */
  isReserving: v.boolean(),
});
export type Probe = v.InferOutput<typeof probe>;

const offer = v.object({
  isAccepting: v.boolean(),
  room,
  /** Until what runs and waits there is done, by what the owners said it takes. */
  queueMs: size,
  held: v.pipe(v.array(v.boolean()), v.maxLength(PROBED_INPUTS_MAX)),
});
export type Offer = v.InferOutput<typeof offer>;

export const PROBE: RequestType<Probe, Offer> = {
  name: "/mf/task/1/probe",
  query: message(probe),
  answer: message(offer),
};

const grant = v.object({
  lease: leaseId,
  run: runRef,
  ballot: count,
  step: nameText,
  codeId,
  codeKind: v.picklist(["script", "python"]),
  /** Environment id of the step: a Python step is refused where this differs. */
  environment: v.string(),
  attempts: v.pipe(v.array(bytes), v.minLength(1), v.maxLength(GRANT_ATTEMPTS_MAX)),
  /** Small inputs; whatever else the attempts name, the worker has or brings. */
  contents: v.array(v.object({ id: cid, data: bytes })),
  /** Peers that hold the rest. */
  hints: v.pipe(v.array(peerId), v.maxLength(16)),
  eachOutputs: v.array(v.string()),
  variables: v.record(v.string(), v.string()),
  demand,
  isExclusive: v.boolean(),
  memBytesMax: size,
  timeoutMs: v.exactOptional(size),
  yieldAfterMs: size,
  /** What the whole batch is expected to take, ms; undefined before the step's first task has ended. */
  expectedMs: v.exactOptional(size),
});
export type Grant = v.InferOutput<typeof grant>;

const GRANT_ANSWERS = ["accepted", "busy", "fenced", "unfit", "denied"] as const;
export type GrantAnswer = (typeof GRANT_ANSWERS)[number];

const granted = v.object({
  answers: v.pipe(v.array(v.picklist(GRANT_ANSWERS)), v.maxLength(GRANTS_MAX)),
  room,
});

export const GRANT: RequestType<{ grants: Grant[] }, v.InferOutput<typeof granted>> = {
  name: "/mf/task/1/grant",
  query: message(
    v.object({ grants: v.pipe(v.array(grant), v.minLength(1), v.maxLength(GRANTS_MAX)) }),
    BATCH_BYTES_MAX,
  ),
  answer: message(granted),
};

const handedIn = v.object({
  lease: leaseId,
  run: runRef,
  outcomes: v.pipe(v.array(bytes), v.maxLength(GRANT_ATTEMPTS_MAX)),
  /** More of this lease follows. What the last one and those before do not mention was not begun. */
  isLast: v.boolean(),
  /** This peer cannot run such a step at all: its Python or its packages are others. */
  isUnfit: v.boolean(),
  room,
});
export type HandedIn = v.InferOutput<typeof handedIn>;

/** `unknown`: I do not own this; somebody else may ask for it. */
const TAKEN = ["taken", "unknown"] as const;

export const HAND_IN: RequestType<HandedIn, { verdict: (typeof TAKEN)[number] }> = {
  name: "/mf/task/1/hand-in",
  query: message(handedIn, BATCH_BYTES_MAX),
  answer: message(v.object({ verdict: v.picklist(TAKEN) })),
};

/** Of one attempt that runs. */
const progress = v.object({
  index: v.pipe(v.array(count), v.maxLength(32)),
  fraction: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
  note: v.exactOptional(v.pipe(v.string(), v.maxLength(1_000))),
});

const renewal = v.object({
  leases: v.pipe(
    v.array(
      v.object({ lease: leaseId, progress: v.pipe(v.array(progress), v.maxLength(PROGRESS_MAX)) }),
    ),
    v.maxLength(LEASES_MAX),
  ),
  /** These are all leases of the receiver here; one that is not named is lost. */
  isWhole: v.boolean(),
});
export type Renewal = v.InferOutput<typeof renewal>;

const RENEWAL_BYTES_MAX = 1024 * 1024;

export const RENEW: NoticeType<Renewal> = {
  name: "/mf/task/1/renew",
  message: message(renewal, RENEWAL_BYTES_MAX),
};

/** A worker has room for somebody it told to wait. */
export const PULL: NoticeType<{ room: v.InferOutput<typeof room> }> = {
  name: "/mf/task/1/pull",
  message: message(v.object({ room })),
};

/** Nothing for the pull: others may have what was held. */
export const NOTHING: NoticeType<null> = {
  name: "/mf/task/1/nothing",
  message: message(v.null()),
};

const cancel = v.object({ run: runRef, ballot: count, leases });
export const CANCEL: NoticeType<v.InferOutput<typeof cancel>> = {
  name: "/mf/task/1/cancel",
  message: message(cancel, RENEWAL_BYTES_MAX),
};

const working = v.object({
  lease: leaseId,
  step: nameText,
  /** Of the grant's attempts, in order. */
  memoKeys: v.pipe(v.array(memoKey), v.maxLength(GRANT_ATTEMPTS_MAX)),
});
export type WorkingLease = v.InferOutput<typeof working>;

const whoWorks = v.object({ run: runRef, ballot: count });

/** What of a run runs at a peer, or waits there to be handed in. From then on it obeys no lower ballot. */
export const WHO_WORKS: RequestType<v.InferOutput<typeof whoWorks>, { leases: WorkingLease[] }> = {
  name: "/mf/task/1/who-works",
  query: message(whoWorks),
  answer: message(
    v.object({ leases: v.pipe(v.array(working), v.maxLength(LEASES_MAX)) }),
    BATCH_BYTES_MAX,
  ),
};

/** The asker owns the run now: outcomes of these leases go to it. The answer names those that are there. */
export const ADOPT: RequestType<v.InferOutput<typeof cancel>, { leases: string[] }> = {
  name: "/mf/task/1/adopt",
  query: message(cancel, RENEWAL_BYTES_MAX),
  answer: message(v.object({ leases }), RENEWAL_BYTES_MAX),
};

const externalPackage = v.object({ name: v.string(), version: v.string(), integrity: v.string() });
const scriptCode = v.object({
  kind: v.literal("script"),
  codeId,
  slice: v.string(),
  packages: v.exactOptional(v.string()),
  isStateless: v.boolean(),
  externals: v.array(externalPackage),
  resolveFrom: v.string(),
  at: v.string(),
  sourceMap: v.exactOptional(v.string()),
});
const pythonCode = v.object({
  kind: v.literal("python"),
  codeId,
  entry: v.string(),
  fn: v.string(),
  files: v.record(v.string(), v.string()),
  imports: v.array(v.string()),
  requires: v.array(v.string()),
  beside: v.exactOptional(scriptCode),
});
const stepCode = v.variant("kind", [scriptCode, pythonCode]);
export type WireCode = v.InferOutput<typeof stepCode>;

/** A step's code, asked once by each worker of the owner that granted it. */
export const CODE: RequestType<{ codeId: v.InferOutput<typeof codeId> }, { code: WireCode }> = {
  name: "/mf/task/1/code",
  query: message(v.object({ codeId })),
  answer: message(v.object({ code: stepCode }), CODE_BYTES_MAX),
};
