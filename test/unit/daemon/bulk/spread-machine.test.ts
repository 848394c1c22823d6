import assert from "node:assert/strict";
import { test } from "node:test";
import { SPREAD_AT_ONCE, SPREAD_RETRY_MS } from "../../../../daemon/bulk/bulk-limits.ts";
import { rendezvous, SpreadMachine } from "../../../../daemon/bulk/spread-machine.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";

const peers = ["p1", "p2", "p3", "p4"] as PeerId[];
const content = (id: string, ...holders: string[]) => ({
  id: id as Cid,
  holders: holders as PeerId[],
});

test("a copy goes to the first peer by rendezvous, and is done when that one holds it", () => {
  const machine = new SpreadMachine();
  machine.step({ t: "peers", peers }, 0);
  const [ask] = machine.step({ t: "spread", contents: [content("x")], copies: 2 }, 0);
  const [first] = rendezvous("x" as Cid, peers);
  assert.deepEqual(ask, { t: "ask", peer: first, ids: ["x"] });
  machine.step({ t: "answered", peer: first as PeerId, ids: ["x" as Cid], held: [true] }, 1);
  assert.equal(machine.pending, 0);
});

test("what enough peers hold already is not copied", () => {
  const machine = new SpreadMachine();
  machine.step({ t: "peers", peers }, 0);
  const contents = [content("x", "p1", "p2")];
  assert.deepEqual(machine.step({ t: "spread", contents, copies: 3 }, 0), []);
  assert.equal(machine.pending, 0);
});

test("who refuses is replaced by the next in rank, and everybody is asked again later", () => {
  const machine = new SpreadMachine();
  machine.step({ t: "peers", peers }, 0);
  let effects = machine.step({ t: "spread", contents: [content("x")], copies: 2 }, 0);
  const order: PeerId[] = [];
  for (let turn = 0; turn < peers.length; turn++) {
    const [ask] = effects;
    assert.ok(ask !== undefined);
    order.push(ask.peer);
    effects = machine.step({ t: "answered", peer: ask.peer, ids: ask.ids, held: [] }, 1);
  }
  assert.deepEqual(order, rendezvous("x" as Cid, peers));
  assert.deepEqual(effects, []);
  assert.deepEqual(machine.step({ t: "peers", peers }, 2), []);
  const [again] = machine.step({ t: "peers", peers }, 1 + SPREAD_RETRY_MS);
  assert.equal(again?.peer, order[0]);
});

test("only a few copies are under way at once, and equal targets share a request", () => {
  const machine = new SpreadMachine();
  machine.step({ t: "peers", peers }, 0);
  const contents = Array.from({ length: 40 }, (_, i) => content(`id-${i}`));
  const effects = machine.step({ t: "spread", contents, copies: 2 }, 0);
  assert.equal(effects.length, SPREAD_AT_ONCE);
  for (const { peer, ids } of effects) {
    assert.ok(ids.length > 1);
    for (const id of ids) assert.equal(rendezvous(id, peers)[0], peer);
  }
});

test("with nobody to hold it, content waits for peers", () => {
  const machine = new SpreadMachine();
  assert.deepEqual(machine.step({ t: "spread", contents: [content("x")], copies: 2 }, 0), []);
  assert.equal(machine.pending, 1);
  const effects = machine.step({ t: "peers", peers }, SPREAD_RETRY_MS);
  assert.equal(effects.length, 1);
});

test("a peer that leaves moves only what was its own", () => {
  const ids = Array.from({ length: 200 }, (_, i) => `id-${i}` as Cid);
  const fewer = peers.slice(0, 3);
  for (const id of ids) {
    const [before] = rendezvous(id, peers);
    const [after] = rendezvous(id, fewer);
    assert.ok(before === after || before === "p4");
  }
});
