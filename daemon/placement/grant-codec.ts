/** A batch to a grant and back, outcomes to the parts of a hand-in and back. What comes from a peer is checked here beyond its schema. */
import { cidOf, parseCid } from "../../src/artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../../src/artifact/content.ts";
import { isMfError, MfError, type ErrorRecord } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { ContentLocation, StoredOutput } from "../../src/store/ports.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptSpec,
  SignedOutcome,
} from "../../src/task/host-messages.ts";
import type { BatchOrigin } from "../../src/engine/ports.ts";
import type { Grant } from "../../src/wire/placement-protocol.ts";
import {
  ATTEMPT,
  ATTEMPT_BYTES_MAX,
  GRANT_ATTEMPTS_MAX,
  OUTCOME,
  type WireOutcome,
} from "../../src/wire/placement-values.ts";
import { SCAN_ITEMS_MAX } from "../../src/wire/frame-scan.ts";
import type { MessageCodec } from "../../src/wire/message.ts";
import { inputContentIds, locationIn } from "./input-contents.ts";
import { INLINE_CONTENT_BYTES_MAX, PART_BYTES_MAX } from "./placement-limits.ts";

export interface GrantedBatch {
  readonly batch: AttemptBatch;
  readonly origin: BatchOrigin;
  readonly isExclusive: boolean;
}

export interface GrantTerms {
  readonly lease: string;
  readonly ballot: number;
  readonly positions: readonly number[];
  readonly hints: readonly PeerId[];
  readonly expectedMs?: number;
}

/** The grant holds as many attempts, from the first, as fit; undefined where not even one does. */
export function encodeGrant(work: GrantedBatch, terms: GrantTerms): Grant | undefined {
  const { batch, origin } = work;
  const attempts: Uint8Array[] = [];
  let bytes = 0;
  for (const position of terms.positions) {
    const spec = defined(batch.attempts[position]);
    const { memoKey, inputIds } = defined(origin.tasks[position]);
    const { catching, ...rest } = spec;
    const attempt = encodedWithin(ATTEMPT, {
      ...rest,
      index: [...spec.index],
      ...(catching === undefined ? {} : { catching: plainRecord(catching) }),
      memoKey,
      inputIds: { ...inputIds },
    });
    if (attempt === undefined) break;
    bytes += attempt.length;
    if (bytes > PART_BYTES_MAX - INLINE_CONTENT_BYTES_MAX) break;
    if (attempts.length === GRANT_ATTEMPTS_MAX) break;
    attempts.push(attempt);
  }
  if (attempts.length === 0) return undefined;
  const specs = terms.positions
    .slice(0, attempts.length)
    .map((position) => defined(batch.attempts[position]));
  return {
    lease: terms.lease,
    run: origin.run,
    ballot: terms.ballot,
    step: batch.step,
    codeId: batch.code.codeId,
    codeKind: batch.code.kind,
    environment: origin.env,
    attempts,
    contents: inlineContents(batch, specs),
    hints: [...terms.hints],
    eachOutputs: [...batch.eachOutputs],
    variables: { ...batch.env },
    demand: { ...origin.demand },
    isExclusive: work.isExclusive,
    memBytesMax: batch.memBytesMax,
    ...(batch.timeoutMs === undefined ? {} : { timeoutMs: batch.timeoutMs }),
    yieldAfterMs: batch.yieldAfterMs,
    ...(terms.expectedMs === undefined ? {} : { expectedMs: terms.expectedMs }),
  };
}

/** Undefined where it has too many bytes or items for the other side to take. */
function encodedWithin<M>(codec: MessageCodec<M>, message: M): Uint8Array | undefined {
  try {
    const data = codec.encode(message);
    // An item takes at least a byte, so only what is longer can have too many.
    if (data.length > SCAN_ITEMS_MAX) codec.decode(data);
    return data;
  } catch (error) {
    if (isMfError(error, "MESSAGE_MALFORMED")) return undefined;
    throw error;
  }
}

function inlineContents(
  batch: AttemptBatch,
  specs: readonly AttemptSpec[],
): { id: Cid; data: Uint8Array }[] {
  const contents: { id: Cid; data: Uint8Array }[] = [];
  let bytes = 0;
  for (const id of inputContentIds(specs)) {
    const location = locationIn(batch.contents, id);
    if (location === undefined || !("inline" in location)) continue;
    if (location.inline.length > INLINE_BYTES_MAX) continue;
    bytes += location.inline.length + id.length;
    if (bytes > INLINE_CONTENT_BYTES_MAX) break;
    contents.push({ id, data: location.inline });
  }
  return contents;
}

export interface ReceivedGrant {
  readonly attempts: readonly AttemptSpec[];
  readonly tasks: BatchOrigin["tasks"];
  readonly contents: Map<Cid, ContentLocation>;
}

/** @throws MfError MESSAGE_MALFORMED */
export function decodeGrant(grant: Grant): ReceivedGrant {
  const attempts: AttemptSpec[] = [];
  const tasks: BatchOrigin["tasks"][number][] = [];
  for (const data of grant.attempts) {
    const { memoKey, inputIds, ...spec } = ATTEMPT.decode(data);
    attempts.push(spec);
    tasks.push({ memoKey, inputIds });
  }
  const contents = new Map<Cid, ContentLocation>();
  for (const { id, data } of grant.contents) {
    checkContent(id, data);
    contents.set(id, { inline: data });
  }
  return { attempts, tasks, contents };
}

/** Outcomes as bytes, in parts that fit into one message each; small outputs that do not fit stay at the worker. */
export function encodeOutcomes(outcomes: readonly AttemptOutcome[]): Uint8Array[][] {
  const parts: Uint8Array[][] = [];
  let part: Uint8Array[] = [];
  let bytes = 0;
  let pages = new Set<Cid>();
  for (const outcome of outcomes) {
    let data = encodedOutcome(outcome, pages);
    if (bytes + data.length > PART_BYTES_MAX || part.length === GRANT_ATTEMPTS_MAX) {
      parts.push(part);
      part = [];
      bytes = 0;
      pages = new Set();
      // With its page, which may have gone with the part before.
      data = encodedOutcome(outcome, pages);
    }
    if (outcome.signed !== undefined) pages.add(outcome.signed.page);
    part.push(data);
    bytes += data.length;
  }
  parts.push(part);
  return parts;
}

/** `pages`: what the other side has by then. */
function encodedOutcome(outcome: AttemptOutcome, pages: ReadonlySet<Cid>): Uint8Array {
  return (
    encodedWithin(OUTCOME, wireOutcome(outcome, pages)) ??
    encodedWithin(OUTCOME, wireOutcome(withoutData(outcome), pages)) ??
    OUTCOME.encode(wireOutcome(tooLarge(outcome), pages))
  );
}

function wireOutcome(outcome: AttemptOutcome, pages: ReadonlySet<Cid>): WireOutcome {
  const { position, result, outputs, tables, error, signed } = outcome;
  const { wallMs, cpuMs, rssBytesMax } = outcome;
  return {
    position,
    result,
    ...(outputs === undefined ? {} : { outputs: { ...outputs } }),
    ...(tables === undefined ? {} : { tables: { ...tables } }),
    ...(error === undefined ? {} : { error: plainRecord(error) }),
    ...(signed === undefined ? {} : { made: wireMade(signed, pages) }),
    wallMs,
    cpuMs,
    rssBytesMax,
  };
}

function wireMade(
  { by, at, page, data }: SignedOutcome,
  pages: ReadonlySet<Cid>,
): NonNullable<WireOutcome["made"]> {
  return { by, at, page, ...(pages.has(page) ? {} : { data }) };
}

function withoutData(outcome: AttemptOutcome): AttemptOutcome {
  const strip = (from: AttemptOutcome["outputs"]): Record<string, StoredOutput> =>
    Object.fromEntries(Object.entries(from ?? {}).map(([name, { ref }]) => [name, { ref }]));
  return { ...outcome, outputs: strip(outcome.outputs), tables: strip(outcome.tables) };
}

function tooLarge({ position, wallMs, cpuMs, rssBytesMax }: AttemptOutcome): AttemptOutcome {
  const reason = `an outcome of more than ${ATTEMPT_BYTES_MAX} bytes`;
  const error: ErrorRecord = { code: "MESSAGE_MALFORMED", details: { reason } };
  return { position, result: "failed", error, wallMs, cpuMs, rssBytesMax };
}

/** Details may hold anything a step threw; what travels is what JSON can say. */
function plainRecord({ code, details, stack }: ErrorRecord): ErrorRecord {
  let plain: Record<string, unknown> = {};
  try {
    plain = JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
  } catch {
    plain = { message: "details that cannot be written down" };
  }
  return stack === undefined ? { code, details: plain } : { code, details: plain, stack };
}

export interface HandedInBy {
  readonly peer: PeerId;
  readonly name: string;
  /** It must vouch for what it made. */
  readonly mustSign: boolean;
}

/** What the pages say is checked where it is known what was granted (signed-outcomes.ts). @param size attempts of the lease @throws MfError MESSAGE_MALFORMED */
export function decodeOutcomes(
  parts: readonly Uint8Array[],
  size: number,
  { peer, name, mustSign }: HandedInBy,
): AttemptOutcome[] {
  const seen = new Set<number>();
  const pages = new Map<Cid, Uint8Array>();
  return parts.map((part) => {
    const { made, ...outcome } = OUTCOME.decode(part);
    if (outcome.position >= size || seen.has(outcome.position))
      throw malformed("an outcome of no attempt");
    seen.add(outcome.position);
    if (outcome.result === "succeeded" && outcome.outputs === undefined)
      throw malformed("a success without outputs");
    if (outcome.error?.code === "PEER_LOST" || outcome.error?.code === "FACT_REFUSED")
      throw malformed("a worker cannot know that it is lost");
    for (const outputs of [outcome.outputs, outcome.tables])
      for (const { ref, data } of Object.values(outputs ?? {}))
        if (data !== undefined) checkContent(ref.id, data);
    if (outcome.result !== "succeeded" || (made === undefined && !mustSign))
      return { ...outcome, by: name };
    if (made === undefined) throw malformed("a success that nobody vouches for");
    const { by, at, page } = made;
    if (made.data !== undefined) {
      checkContent(page, made.data);
      pages.set(page, made.data);
    }
    const data = pages.get(page);
    if (data === undefined) throw malformed("a success without its page");
    return { ...outcome, by: name, signed: { peer, by, at, page, data } };
  });
}

/** @throws MfError MESSAGE_MALFORMED */
function checkContent(id: Cid, data: Uint8Array): void {
  if (data.length > INLINE_BYTES_MAX) throw malformed("large content inline");
  let isRight = false;
  try {
    isRight = cidOf(parseCid(id).codec, data) === id;
  } catch {
    isRight = false;
  }
  if (!isRight) throw malformed("content that does not hash to its id");
}

function malformed(reason: string): MfError {
  return new MfError("MESSAGE_MALFORMED", { reason });
}
