import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decodeGrant,
  decodeOutcomes,
  encodeGrant,
  encodeOutcomes,
  type GrantedBatch,
} from "../../../../daemon/placement/grant-codec.ts";
import { PART_BYTES_MAX } from "../../../../daemon/placement/placement-limits.ts";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { encodeValue } from "../../../../src/artifact/codec.ts";
import type { InputSource } from "../../../../src/model/fact.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { Cid, CodeId, MemoKey, RunId } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import type { ContentLocation } from "../../../../src/store/ports.ts";
import type { AttemptOutcome } from "../../../../src/task/host-messages.ts";
import { GRANT, HAND_IN } from "../../../../src/wire/placement-protocol.ts";

function content(value: unknown): { id: Cid; data: Uint8Array } {
  const { data } = encodeValue(value);
  return { id: cidOf("messagepack", data), data };
}

function granted(inputs: readonly Readonly<Record<string, InputSource>>[]): GrantedBatch {
  const contents = new Map<Cid, ContentLocation>();
  const keys = inputs.map((_, i) => String(i).padStart(64, "0") as MemoKey);
  return {
    batch: {
      id: 1,
      run: "f/r",
      step: "fit",
      code: {
        kind: "script",
        codeId: "c" as CodeId,
        slice: "",
        isStateless: true,
        externals: [],
        resolveFrom: "/",
        at: "",
      },
      attempts: inputs.map((fields, i) => ({
        index: [i],
        attempt: 0,
        inputs: { fields },
        seed: "s",
      })),
      contents,
      eachOutputs: ["list"],
      scratchFile: "/scratch",
      logFile: "/log",
      env: { A: "1" },
      memBytesMax: 2 ** 31,
      timeoutMs: 1_000,
      yieldAfterMs: 200,
    },
    origin: {
      run: { flow: "f", id: "r" as RunId },
      env: "node",
      tasks: keys.map((memoKey) => ({ memoKey, inputIds: { x: "id" } })),
      demand: { cores: 0.5, memBytes: 0, gpus: 0 },
      labels: [],
    },
    isExclusive: false,
  };
}

const terms = (positions: readonly number[]) => ({
  lease: "x-1",
  ballot: 3,
  positions,
  hints: ["b" as PeerId],
});

const isMalformed = (error: unknown): boolean => isMfError(error, "MESSAGE_MALFORMED");

const BOB = { peer: "bob" as PeerId, name: "bob", mustSign: false };

test("a grant arrives as the batch that was sent", () => {
  const x = content(1);
  const nested: InputSource = {
    k: "object",
    fields: {
      a: {
        k: "list",
        items: [
          { k: "artifact", id: x.id },
          { k: "artifact", id: x.id, path: ["p"] },
        ],
      },
      b: { k: "bytes", id: x.id, data: Buffer.from(x.data) },
    },
  };
  const work = granted([{ n: nested }, { n: { k: "artifact", id: x.id } }]);
  (work.batch.contents as Map<Cid, ContentLocation>).set(x.id, { inline: x.data });
  const grant = encodeGrant(work, terms([0, 1]));
  assert.ok(grant !== undefined);
  const [arrived] = GRANT.query.decode(GRANT.query.encode({ grants: [grant] })).grants;
  assert.ok(arrived !== undefined);
  const { attempts, tasks, contents } = decodeGrant(arrived);
  assert.deepEqual(
    JSON.stringify(attempts.map(({ inputs }) => inputs)),
    JSON.stringify(work.batch.attempts.map(({ inputs }) => inputs)),
  );
  assert.deepEqual(tasks, work.origin.tasks);
  assert.deepEqual([...contents.keys()], [x.id]);
  assert.deepEqual(
    [arrived.step, arrived.environment, arrived.variables, arrived.timeoutMs, arrived.demand.cores],
    ["fit", "node", { A: "1" }, 1_000, 0.5],
  );
});

test("a batch that is too large for a message is cut, and one attempt that is, is not sent", () => {
  const data = new Uint8Array(400_000);
  const big: InputSource = { k: "bytes", id: cidOf("raw", data), data };
  const work = granted(Array.from({ length: 20 }, () => ({ x: big })));
  const grant = encodeGrant(work, terms(Array.from({ length: 20 }, (_, i) => i)));
  const count = grant?.attempts.length ?? 0;
  assert.ok(count > 1 && count < 20, String(count));
  assert.ok(grant !== undefined && GRANT.query.encode({ grants: [grant] }).length < PART_BYTES_MAX);
  const huge: InputSource = { k: "bytes", id: big.id, data: new Uint8Array(4_000_000) };
  assert.equal(encodeGrant(granted([{ x: huge }]), terms([0])), undefined);
});

test("one attempt may collect ten thousand values", () => {
  const { id } = content(1);
  const items: InputSource[] = Array.from({ length: 10_000 }, () => ({ k: "artifact", id }));
  const grant = encodeGrant(granted([{ all: { k: "list", items } }]), terms([0]));
  assert.ok(grant !== undefined);
  const [arrived] = GRANT.query.decode(GRANT.query.encode({ grants: [grant] })).grants;
  assert.ok(arrived !== undefined && decodeGrant(arrived).attempts.length === 1);
});

test("inline content that is not what its id says is refused", () => {
  const grant = encodeGrant(granted([{}]), terms([0]));
  assert.ok(grant !== undefined);
  const { id } = content(1);
  const forged = { ...grant, contents: [{ id, data: content(2).data }] };
  assert.throws(() => decodeGrant(forged), isMalformed);
});

test("leases and runs that would lead out of the worker's directories are refused", () => {
  const grant = encodeGrant(granted([{}]), terms([0]));
  assert.ok(grant !== undefined);
  for (const wrong of [
    { lease: "../../x" },
    { run: { flow: "..", id: "r" as RunId } },
    { run: { flow: "f", id: "../r" as RunId } },
  ])
    assert.throws(
      () => GRANT.query.decode(GRANT.query.encode({ grants: [{ ...grant, ...wrong }] })),
      isMalformed,
    );
});

const base = { wallMs: 1, cpuMs: 1, rssBytesMax: 1 };

test("outcomes arrive as they were, in as many parts as they need", () => {
  const { id, data } = content("x".repeat(15_000));
  const outcomes: AttemptOutcome[] = Array.from({ length: 300 }, (_, position) => ({
    position,
    result: "succeeded",
    outputs: { y: { ref: { id, bytes: data.length, kind: "string" }, data } },
    ...base,
  }));
  const parts = encodeOutcomes(outcomes);
  assert.equal(parts.length, 2);
  const room = { slots: 1, queue: 0, cores: 1, memBytes: 1, gpus: 0 };
  const arrived = parts.flatMap((part) => {
    const message = { lease: "x-1", run: { flow: "f", id: "r" as RunId }, outcomes: part, room };
    const bytes = HAND_IN.query.encode({ ...message, isLast: true, isUnfit: false });
    return decodeOutcomes(HAND_IN.query.decode(bytes).outcomes, 300, BOB);
  });
  assert.deepEqual(
    arrived.map(({ position, by }) => [position, by]),
    outcomes.map(({ position }) => [position, "bob"]),
  );
});

test("outputs that are too many for one message stay at the worker", () => {
  const { id, data } = content("x".repeat(16_000));
  const outputs = Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [
      `y${i}`,
      { ref: { id, bytes: data.length, kind: "string" }, data },
    ]),
  );
  const parts = encodeOutcomes([{ position: 0, result: "succeeded", outputs, ...base }]);
  const [outcome] = decodeOutcomes(parts.flat(), 1, BOB);
  assert.equal(Object.keys(outcome?.outputs ?? {}).length, 200);
  assert.equal(outcome?.outputs?.["y0"]?.data, undefined);
});

test("what a step threw travels as far as JSON can say it", () => {
  const details: Record<string, unknown> = { message: "no", when: 5n, self: undefined };
  details["self"] = details;
  const error = { code: "STEP_THREW" as const, details, stack: "at x" };
  const parts = encodeOutcomes([{ position: 0, result: "failed", error, ...base }]);
  const [outcome] = decodeOutcomes(parts.flat(), 1, BOB);
  assert.equal(outcome?.error?.code, "STEP_THREW");
  assert.equal(outcome.error.stack, "at x");
});

test("outcomes that cannot be are refused", () => {
  const { id, data } = content(1);
  const good: AttemptOutcome = { position: 0, result: "succeeded", outputs: {}, ...base };
  const wrong: AttemptOutcome[][] = [
    [{ ...good, position: 2 }],
    [good, good],
    [{ position: 0, result: "succeeded", ...base }],
    [{ position: 0, result: "lost", error: { code: "PEER_LOST", details: {} }, ...base }],
    [{ ...good, outputs: { y: { ref: { id, bytes: 1, kind: "" }, data: content(2).data } } }],
    [
      {
        ...good,
        outputs: { y: { ref: { id, bytes: 1, kind: "" }, data: new Uint8Array(20_000) } },
      },
    ],
    [{ ...good, wallMs: Number.NaN }],
  ];
  assert.ok(data.length > 0);
  for (const outcomes of wrong)
    assert.throws(() => decodeOutcomes(encodeOutcomes(outcomes).flat(), 2, BOB), isMalformed);
});
