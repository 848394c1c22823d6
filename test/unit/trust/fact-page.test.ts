import assert from "node:assert/strict";
import { test } from "node:test";
import { keyPairOf, peerIdOf } from "../../../src/trust/ed25519.ts";
import {
  factLeaf,
  isOnPage,
  PAGE_BYTES_MAX,
  PAGE_LEAVES_MAX,
  readPage,
  signFacts,
  type FactSigner,
} from "../../../src/trust/fact-page.ts";
import type { Fact } from "../../../src/model/fact.ts";
import type { Cid, CodeId, MemoKey } from "../../../src/model/ids.ts";
import { defined } from "../../../src/std/assert.ts";

function signerOf(seed: number): FactSigner {
  const keys = keyPairOf(new Uint8Array(32).fill(seed));
  return { peerId: peerIdOf(keys.publicKey), sign: (data) => keys.sign(data) };
}

const ADA = signerOf(1);
const GOLDEN = "ccecddc59c119c5edfc469d260987a20bb0b2c9824929fb0aee38ab4b16177c0";

const fact = (number: number): Fact => ({
  v: 1,
  memoKey: String(number).padStart(64, "0") as MemoKey,
  flow: "sweep",
  step: "fit",
  code: "c0de" as CodeId,
  env: "",
  seed: "s",
  inputs: { y: "bafy", x: "bafx" },
  outputs: { b: { id: "bafb" as Cid, bytes: 2, kind: "number" } },
  by: "ada",
  at: 1_700_000_000_000.25,
  wallMs: 1.5,
  cpuMs: 0.1,
  rssBytesMax: 1e8,
});

test("a leaf is of everything but the page: a golden vector", () => {
  const leaf = factLeaf(fact(7)).toString("hex");
  assert.equal(leaf, GOLDEN);
  assert.equal(factLeaf({ ...fact(7), page: "bafp" as Cid }).toString("hex"), leaf);
  const { inputs, outputs, ...rest } = fact(7);
  const reordered = { outputs, inputs: { x: "bafx", y: "bafy" }, ...rest };
  assert.equal(factLeaf(reordered as Fact).toString("hex"), leaf);
  assert.notDeepEqual(inputs, outputs);
});

test("every field is in the leaf", () => {
  const leaf = factLeaf(fact(7)).toString("hex");
  const changes: Partial<Fact>[] = [
    { memoKey: "f".repeat(64) as MemoKey },
    { flow: "x" },
    { step: "x" },
    { code: "x" as CodeId },
    { env: "x" },
    { seed: "x" },
    { inputs: { x: "bafx" } },
    { inputs: { x: "bafy", y: "bafx" } },
    { outputs: {} },
    { outputs: { b: { id: "bafb" as Cid, bytes: 3, kind: "number" } } },
    { by: "bob" },
    { at: 1 },
    { wallMs: 2 },
    { cpuMs: 2 },
    { rssBytesMax: 2 },
  ];
  for (const change of changes)
    assert.notEqual(
      factLeaf({ ...fact(7), ...change }).toString("hex"),
      leaf,
      JSON.stringify(change),
    );
});

test("many facts go on as many pages as they need, groups stay together and in order", () => {
  const groups = Array.from({ length: 500 }, (_, at) =>
    at === 3 ? [fact(at), fact(10_000), fact(10_001)] : [fact(at)],
  );
  const { groups: signed, pages } = signFacts(groups, ADA, 5);
  assert.equal(pages.length, 2);
  assert.deepEqual(
    signed.map((group) => group.map(({ page: _page, ...rest }) => rest)),
    groups,
  );
  const read = new Map(pages.map(({ id, data }) => [id, defined(readPage(data))]));
  for (const group of signed) {
    assert.equal(new Set(group.map(({ page }) => page)).size, 1);
    for (const one of group) {
      const page = defined(read.get(defined(one.page)));
      assert.equal(page.peer, ADA.peerId);
      assert.equal(page.at, 5);
      assert.ok(isOnPage(page, one));
      assert.ok(!isOnPage(page, { ...one, by: "eve" }));
    }
  }
  for (const { data } of pages) assert.ok(data.length <= PAGE_BYTES_MAX);
});

test("a group too large for a page is signed as far as the page goes", () => {
  const group = Array.from({ length: PAGE_LEAVES_MAX + 2 }, (_, at) => fact(at));
  const { groups, pages } = signFacts([group], ADA, 5);
  assert.equal(pages.length, 1);
  assert.equal(groups[0]?.filter(({ page }) => page !== undefined).length, PAGE_LEAVES_MAX);
});

test("any flipped bit, any other length: no page", () => {
  const [page] = signFacts([[fact(1)], [fact(2)]], ADA, 5).pages;
  const { data } = defined(page);
  for (let at = 0; at < data.length; at++) {
    const bent = new Uint8Array(data);
    bent[at] = (bent[at] ?? 0) ^ (1 << (at % 8));
    assert.equal(readPage(bent), undefined, `byte ${at}`);
  }
  for (const length of [0, 1, 50, data.length - 1])
    assert.equal(readPage(data.subarray(0, length)), undefined);
  assert.equal(readPage(Buffer.concat([data, new Uint8Array(1)])), undefined);
  assert.equal(readPage(new Uint8Array(PAGE_BYTES_MAX + 1)), undefined);
});

test("a page signed with another key than it names is none", () => {
  const eve = signerOf(2);
  const forged: FactSigner = { peerId: ADA.peerId, sign: (data) => eve.sign(data) };
  const [page] = signFacts([[fact(1)]], forged, 5).pages;
  assert.equal(readPage(defined(page).data), undefined);
});
