import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../../src/artifact/cid.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { reachableInMesh } from "../../../../daemon/catalog/mesh-records.ts";
import { FakeStore } from "../../../support/fake-store.ts";

test("content is reachable here or with a peer, and only what is missing is asked for", async () => {
  const store = new FakeStore();
  const { id: here } = await store.putBytes(Uint8Array.of(1), "raw");
  const there = cidOf("raw", Uint8Array.of(2));
  const nowhere = cidOf("raw", Uint8Array.of(3));
  const asked: Cid[][] = [];
  const exchange = {
    holders: async (ids: readonly Cid[]): Promise<ReadonlyMap<Cid, readonly PeerId[]>> => {
      asked.push([...ids]);
      return new Map(ids.map((id) => [id, id === there ? ["p1" as PeerId] : []]));
    },
  };
  const ids = [nowhere, here, there, nowhere];
  assert.deepEqual(await reachableInMesh({ exchange, store }, ids), [false, true, true, false]);
  assert.deepEqual(asked, [[nowhere, there]]);
});
