/** A member that hands in what it does not vouch for: nothing of it is taken, it is named, and the run ends without it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keyPairOf, peerIdOf } from "../../../../src/trust/ed25519.ts";
import { isOnPage, readPage, type FactSigner } from "../../../../src/trust/fact-page.ts";
import { defined } from "../../../../src/std/assert.ts";
import { each, out } from "../../../support/engine-fixture.ts";
import { MeshFixture } from "../../../support/mesh-fixture.ts";

function signerOf(seed: number): FactSigner {
  const keys = keyPairOf(new Uint8Array(32).fill(seed));
  return { peerId: peerIdOf(keys.publicKey), sign: (data) => keys.sign(data) };
}

const ADA = signerOf(1);
const BOB = signerOf(2);
/** Says that it is Eve, and signs with another key. */
const EVE: FactSigner = { peerId: signerOf(3).peerId, sign: signerOf(4).sign };

const FLOW = {
  steps: [
    { name: "list" },
    { name: "work", inputs: { x: each(out("list", "xs")) }, levels: ["work"] },
  ],
};
const STEPS = {
  list: () => ({ xs: Array.from({ length: 40 }, (_, at) => at) }),
  work: (inputs: unknown) => ({ y: (inputs as { x: number }).x }),
};

async function runWith(other: FactSigner): Promise<ReadonlyMap<string, number>> {
  const mesh = new MeshFixture(STEPS);
  const ada = await mesh.add(ADA.peerId, { slots: 1, taskMs: 5, signer: ADA });
  await mesh.add(other.peerId, { slots: 4, taskMs: 5, signer: other });
  const handle = await ada.start(FLOW);
  const { state } = await handle.finished;
  assert.equal(state, "succeeded");
  const by = new Map<string, number>();
  const { durable } = ada.store;
  for (const fact of durable.facts.values()) {
    const page = defined(readPage(defined(durable.contents.get(defined(fact.page)))));
    assert.ok(isOnPage(page, fact));
    assert.equal(page.peer, fact.by);
    by.set(page.peer, (by.get(page.peer) ?? 0) + 1);
  }
  const errors = [...durable.journals.values()]
    .flat()
    .flatMap((entry) => (entry.t === "attempt-failed" ? [entry] : []));
  for (const { error, outcome, by: who } of errors) {
    assert.equal(outcome, "lost");
    assert.equal(error.code, "FACT_REFUSED");
    assert.equal(error.details["peer"], who);
  }
  by.set("refused", errors.length);
  for (const peer of mesh.peers.values()) await peer.hosts.close();
  return by;
}

test("an honest peer's facts are stored as it signed them", async () => {
  const by = await runWith(BOB);
  assert.ok((by.get(BOB.peerId) ?? 0) > 0);
  assert.equal(by.get("refused"), 0);
});

test("a forger's results are refused and made again", async () => {
  const by = await runWith(EVE);
  assert.equal(by.get(EVE.peerId), undefined);
  assert.ok((by.get("refused") ?? 0) > 0);
});
