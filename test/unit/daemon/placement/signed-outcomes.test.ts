import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../../src/artifact/cid.ts";
import {
  decodeOutcomes,
  encodeOutcomes,
  type HandedInBy,
} from "../../../../daemon/placement/grant-codec.ts";
import { checkedOutcomes } from "../../../../daemon/placement/signed-outcomes.ts";
import { factMaker } from "../../../../src/engine/run/fact-maker.ts";
import { outcomeRecords, type RecordedBatch } from "../../../../src/engine/run/outcome-record.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { CodeId, MemoKey, RunId } from "../../../../src/model/ids.ts";
import type { AttemptOutcome } from "../../../../src/task/host-messages.ts";
import { keyPairOf, peerIdOf } from "../../../../src/trust/ed25519.ts";
import type { FactSigner } from "../../../../src/trust/fact-page.ts";
import { defined } from "../../../../src/std/assert.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function signerOf(seed: number): FactSigner {
  const keys = keyPairOf(new Uint8Array(32).fill(seed));
  return { peerId: peerIdOf(keys.publicKey), sign: (data) => keys.sign(data) };
}

const BOB = signerOf(2);
const EVE = signerOf(3);
const HANDED: HandedInBy = { peer: BOB.peerId, name: "bob", mustSign: true };

const granted = (codeId = "c0de"): RecordedBatch => ({
  batch: {
    step: "fit",
    code: { codeId: codeId as CodeId },
    attempts: [0, 1].map((at) => ({
      index: [at],
      attempt: 0,
      inputs: { fields: {} },
      seed: `seed${at}`,
    })),
  },
  origin: {
    run: { flow: "sweep", id: "1" as RunId },
    env: "",
    tasks: [0, 1].map((at) => ({
      memoKey: String(at).padStart(64, "0") as MemoKey,
      inputIds: { x: `bafx${at}` },
    })),
  },
});

const output = (text: string): NonNullable<AttemptOutcome["outputs"]> => {
  const data = Buffer.from(text);
  return { y: { ref: { id: cidOf("raw", data), bytes: data.length, kind: "bytes" }, data } };
};

const succeeded = (position: number, text = `out${position}`): AttemptOutcome => ({
  position,
  result: "succeeded",
  outputs: output(text),
  tables: { y: defined(output(`table${position}`)["y"]) },
  wallMs: 1.25,
  cpuMs: 1,
  rssBytesMax: 5,
});

/** What a worker hands in of that batch. */
function handIn(signer: FactSigner, batch = granted()): AttemptOutcome[] {
  const outcomes = [succeeded(0), succeeded(1)];
  const maker = factMaker({ peer: "bob", clock: new ManualClock(), signer });
  const { records, pages } = outcomeRecords(batch, outcomes, maker);
  const [page] = pages;
  return outcomes.map((outcome, at) => {
    const { fact } = defined(records[at]);
    const { id, data } = defined(page);
    const signed = { peer: signer.peerId, by: fact.by, at: fact.at, page: id, data };
    return { ...outcome, signed };
  });
}

const travelled = (outcomes: readonly AttemptOutcome[]): AttemptOutcome[] =>
  decodeOutcomes(encodeOutcomes(outcomes).flat(), 2, HANDED);

test("what a peer vouches for arrives as it was made, with one page for all of it", () => {
  const sent = handIn(BOB);
  const parts = encodeOutcomes(sent).flat();
  assert.ok(defined(parts[1]).length < defined(parts[0]).length, "the page goes once");
  const got = decodeOutcomes(parts, 2, HANDED);
  const { outcomes, refused } = checkedOutcomes(granted(), got);
  assert.equal(refused.size, 0);
  const owner = factMaker({ peer: "ada", clock: new ManualClock(), signer: signerOf(1) });
  const { records, pages } = outcomeRecords(granted(), outcomes, owner);
  const made = outcomeRecords(granted(), handIn(BOB), owner);
  assert.deepEqual(records, made.records);
  assert.equal(records[0]?.fact.by, "bob");
  assert.equal(records[0]?.elementFacts[0]?.page, records[0]?.fact.page);
  assert.equal(pages.length, 1);
});

test("an outcome altered on its way is lost, with the peer named; the others count", () => {
  const got = travelled(handIn(BOB));
  const bent = [{ ...defined(got[0]), outputs: output("another") }, defined(got[1])];
  const { outcomes, refused } = checkedOutcomes(granted(), bent);
  assert.deepEqual([...refused], [BOB.peerId]);
  assert.equal(outcomes[0]?.result, "lost");
  assert.equal(outcomes[0]?.error?.code, "FACT_REFUSED");
  assert.equal(outcomes[0]?.error?.details["peer"], "bob");
  assert.equal(outcomes[1]?.result, "succeeded");
});

test("times, names and tables are in what is signed", () => {
  const [first] = travelled(handIn(BOB));
  const whole = defined(first);
  const signed = defined(whole.signed);
  const changes: Partial<AttemptOutcome>[] = [
    { wallMs: 2 },
    { signed: { ...signed, by: "ada" } },
    { signed: { ...signed, at: 17 } },
    { tables: output("forged") },
  ];
  for (const change of changes)
    assert.equal(checkedOutcomes(granted(), [{ ...whole, ...change }]).refused.size, 1);
  assert.equal(checkedOutcomes(granted(), [whole]).refused.size, 0);
});

test("work of another code than was granted is refused", () => {
  const { refused } = checkedOutcomes(granted(), travelled(handIn(BOB, granted("0ther"))));
  assert.equal(refused.size, 1);
});

test("a page of another peer is refused, whatever it says", () => {
  const { outcomes, refused } = checkedOutcomes(granted(), travelled(handIn(EVE)));
  assert.deepEqual([...refused], [BOB.peerId]);
  assert.match(String(outcomes[0]?.error?.details["reason"]), new RegExp(EVE.peerId));
});

test("a success that nobody vouches for, or without its page, makes no sense", () => {
  const isMalformed = (error: unknown): boolean => isMfError(error, "MESSAGE_MALFORMED");
  assert.throws(() => travelled([succeeded(0)]), isMalformed);
  assert.throws(
    () => decodeOutcomes(encodeOutcomes(handIn(BOB)).flat().slice(1), 2, HANDED),
    isMalformed,
  );
  const unsigned = decodeOutcomes(encodeOutcomes([succeeded(0)]).flat(), 2, {
    ...HANDED,
    mustSign: false,
  });
  assert.equal(unsigned[0]?.signed, undefined);
});

test("a large hand-in sends the page with each part", () => {
  const big = handIn(BOB).map((outcome) => ({
    ...outcome,
    outputs: Object.fromEntries(
      Array.from({ length: 120 }, (_, at) => [
        `o${at}`,
        defined(output(`${at}${"x".repeat(16_000)}`)["y"]),
      ]),
    ),
  }));
  const parts = encodeOutcomes(big);
  assert.equal(parts.length, 2);
  for (const part of parts) assert.equal(decodeOutcomes(part, 2, HANDED).length, 1);
});
