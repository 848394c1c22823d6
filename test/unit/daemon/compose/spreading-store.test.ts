import assert from "node:assert/strict";
import { test } from "node:test";
import { spreadingStore } from "../../../../daemon/compose/spreading-store.ts";
import type { Fact } from "../../../../src/model/fact.ts";
import type { Cid, CodeId, MemoKey } from "../../../../src/model/ids.ts";
import type { CommitBatch, Store } from "../../../../src/store/ports.ts";

function fact(by: string, outputs: readonly (readonly [string, number])[]): Fact {
  return {
    v: 1,
    memoKey: "k" as MemoKey,
    flow: "f",
    step: "s",
    code: "c" as CodeId,
    env: "",
    seed: "0",
    inputs: {},
    outputs: Object.fromEntries(
      outputs.map(([id, bytes]) => [id, { id: id as Cid, bytes, kind: "bytes" }]),
    ),
    by,
    at: 0,
    wallMs: 1,
    cpuMs: 1,
    rssBytesMax: 0,
  };
}

test("what is large and made here gets its second copy once it is durable, and nothing else does", async () => {
  const story: string[] = [];
  const store = {
    commit: async (batch: CommitBatch) => {
      story.push(`commit ${batch.facts?.length}`);
    },
  } as unknown as Store;
  const spread = (ids: readonly Cid[], copies: number): void => {
    story.push(`spread ${ids.join(" ")} to ${copies}`);
  };
  const spreading = spreadingStore(store, { exchange: { spread }, name: "me" });
  await spreading.commit({
    facts: [
      fact("me", [
        ["small", 10],
        ["large", 100_000],
      ]),
      fact("other", [["theirs", 100_000]]),
    ],
  });
  assert.deepEqual(story, ["commit 2", "spread large to 2"]);
});
