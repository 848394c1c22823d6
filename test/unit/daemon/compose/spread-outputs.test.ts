import assert from "node:assert/strict";
import { test } from "node:test";
import { spreadingOutputs } from "../../../../daemon/compose/spread-outputs.ts";
import type { Fact } from "../../../../src/model/fact.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { CommitBatch, Store } from "../../../../src/store/ports.ts";

const ids = ["small", "large", "elsewhere"] as Cid[];
const [small, large, elsewhere] = ids as [Cid, Cid, Cid];

test("what this peer made for its own run and is too large for the index gets a second copy", async () => {
  const spread: { ids: readonly Cid[]; copies: number }[] = [];
  const committed: CommitBatch[] = [];
  const here = { bytes: 1, parts: [] };
  const store = {
    commit: async (batch: CommitBatch) => void committed.push(batch),
    locate: async (asked: readonly Cid[]) => asked.map((id) => (id === large ? here : undefined)),
  } as Partial<Store> as Store;
  const spreading = spreadingOutputs(store, {
    spread: (asked, copies) => void spread.push({ ids: asked, copies }),
  });
  const outputs = Object.fromEntries(ids.map((id) => [id, { id }]));
  const facts = [{ outputs }] as unknown as Fact[];
  const inline = [{ id: small, data: new Uint8Array(1) }];

  await spreading.commit({ facts, inline });
  await spreading.commit({ facts, inline, scratch: ["one.seg"] });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(committed.length, 2);
  assert.ok(!spread.some((asked) => asked.ids.includes(elsewhere)));
  assert.deepEqual(spread, [{ ids: [large], copies: 2 }]);
});
