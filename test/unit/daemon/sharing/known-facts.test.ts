import assert from "node:assert/strict";
import { test } from "node:test";
import { Desk } from "../../../../daemon/sharing/desk-service.ts";
import { DeskChoice } from "../../../../daemon/sharing/desk-choice.ts";
import { codeKeysOf, messagesOf } from "../../../../daemon/sharing/code-keys.ts";
import { KnownFacts, PrintSet } from "../../../../daemon/sharing/known-facts.ts";
import type { CodeId, MemoKey } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { CLAIM, CODES_MAX, KEYS_MAX, USE } from "../../../../src/wire/sharing-protocol.ts";
import { FakeStore } from "../../../support/fake-store.ts";

const keyOf = (i: number): MemoKey =>
  (i * 2_654_435_761).toString(16).padStart(64, "0").split("").reverse().join("") as MemoKey;
const CODE = "code" as CodeId;

test("of every fact that was noted there is a print, however often it was noted", async () => {
  const known = new KnownFacts();
  await known.count(new FakeStore());
  assert.equal(known.of(CODE), undefined);
  for (let round = 0; round < 3; round++)
    for (let i = 1; i <= 1_000; i++) known.note(CODE, keyOf(i));
  const bytes = known.of(CODE);
  assert.ok(bytes instanceof Uint8Array && bytes.length < 1_000 * 4 * 3);
  const prints = new PrintSet(bytes);
  for (let i = 1; i <= 1_000; i++) assert.ok(prints.has(keyOf(i)));
  const wrong = Array.from({ length: 1_000 }, (_, i) => keyOf(i + 5_000)).filter((key) =>
    prints.has(key),
  );
  assert.ok(wrong.length <= 1);
  assert.equal(known.of("other" as CodeId), undefined);
});

test("what was not counted yet, or is too much to keep, is asked for whatever the key is", async () => {
  assert.equal(new KnownFacts().of(CODE), "many");
  const known = new KnownFacts(2);
  await known.count(new FakeStore());
  for (let i = 1; i <= 4; i++) known.note(CODE, keyOf(i));
  assert.equal(known.of(CODE), "many");
});

test("bytes of a stranger that are no whole prints are read as far as they go", () => {
  assert.ok(!new PrintSet(new Uint8Array([1, 2, 3])).has(keyOf(1)));
});

test("all choose the same desk of those they see, codes are spread, and a lost peer moves its own only", () => {
  const peers = Array.from({ length: 8 }, (_, i) => `peer-${i}` as PeerId);
  const codes = Array.from({ length: 800 }, (_, i) => `code-${i}` as CodeId);
  const count = new Map<PeerId, number>();
  const there = new DeskChoice();
  const elsewhere = new DeskChoice();
  for (const code of codes) {
    const desk = there.of(code, peers) as PeerId;
    assert.equal(elsewhere.of(code, peers.toReversed()), desk);
    count.set(desk, (count.get(desk) ?? 0) + 1);
    const left = peers.filter((peer) => peer !== "peer-3");
    if (desk !== "peer-3") assert.equal(there.of(code, left), desk);
  }
  assert.equal(count.size, 8);
  for (const codesOfIt of count.values()) assert.ok(codesOfIt > 50 && codesOfIt < 150);
  assert.equal(there.of(CODE, []), undefined);
});

test("the answer of a desk fits into its message, however many users of however many codes there are", async () => {
  const desk = new Desk({
    clock: { monotonic: () => 0 },
    askHandIn: async () => [],
    tellOver: () => undefined,
  });
  const codes = Array.from({ length: CODES_MAX }, (_, i) => `${i}-`.padEnd(64, "c") as CodeId);
  const users = Array.from({ length: 40 }, (_, i) => `${i}x`.padEnd(128, "p") as PeerId);
  for (const user of users) await desk.use(user, { codes, held: [] });
  const answer = await desk.use("me" as PeerId, { codes, held: [] });
  assert.equal(answer.others.length, CODES_MAX);
  assert.ok(answer.others.every(({ isShared }) => isShared));
  assert.deepEqual(USE.answer.decode(USE.answer.encode(answer)), answer);
  const claimed = await desk.claim("me" as PeerId, { codes, held: [] });
  assert.ok(CLAIM.answer.encode(claimed).length > 0);
});

test("keys travel in as many messages as they need, each with its code", () => {
  const all = [
    { code: CODE, keys: Array.from({ length: KEYS_MAX + 10 }, (_, i) => keyOf(i)) },
    ...Array.from({ length: CODES_MAX + 1 }, (_, i) => ({ code: `c${i}` as CodeId, keys: [] })),
    { code: "last" as CodeId, keys: [keyOf(1)] },
  ];
  const messages = messagesOf(all);
  const back = new Map<CodeId, MemoKey[]>();
  const codes = new Set<CodeId>();
  for (const message of messages) {
    assert.ok(message.codes.length <= CODES_MAX);
    assert.ok(message.held.reduce((sum, { keys }) => sum + keys.length, 0) <= KEYS_MAX);
    for (const code of message.codes) codes.add(code);
    for (const { code, keys } of codeKeysOf(message))
      back.set(code, [...(back.get(code) ?? []), ...keys]);
  }
  assert.equal(codes.size, CODES_MAX + 3);
  assert.deepEqual(back.get(CODE), all[0]?.keys);
  assert.deepEqual(back.get("last" as CodeId), [keyOf(1)]);
  // Positions that name nothing, of a stranger.
  assert.deepEqual(codeKeysOf({ codes: [], held: [{ at: 7, keys: [keyOf(1)] }] }), []);
});
