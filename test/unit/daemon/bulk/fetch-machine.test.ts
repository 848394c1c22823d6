import assert from "node:assert/strict";
import { test } from "node:test";
import { WINDOW_BYTES } from "../../../../daemon/bulk/bulk-limits.ts";
import { FetchMachine, type FetchEffect } from "../../../../daemon/bulk/fetch-machine.ts";
import type { Want } from "../../../../daemon/bulk/thread-messages.ts";
import type { PeerId } from "../../../../src/model/peer.ts";

const MIB = 1024 * 1024;
const [A, B] = ["a", "b"] as [PeerId, PeerId];
const wants = (count: number, bytes = MIB, from = 0): Want[] => {
  return Array.from({ length: count }, (_, i) => {
    return { digest: `d${from + i}`, codec: "raw", bytes, bytesMax: bytes, bytesGuess: bytes };
  });
};
const asked = (effects: readonly FetchEffect[], lane?: number): string[] => {
  return effects.flatMap((effect) => {
    if (effect.t !== "ask" || (lane !== undefined && effect.lane !== lane)) return [];
    return effect.wants.map(({ digest }) => digest);
  });
};
const named = (effects: readonly FetchEffect[], t: FetchEffect["t"]): FetchEffect[] => {
  return effects.filter((effect) => effect.t === t);
};

test("a source is asked for a window, and for more as it delivers", () => {
  const machine = new FetchMachine();
  const begun = machine.step({ t: "transfer", transfer: 1, wants: wants(20), peers: [A] });
  assert.deepEqual(begun, [{ t: "need-lane", peer: A }]);
  const opened = machine.step({ t: "lane-opened", lane: 1, peer: A });
  assert.equal(asked(opened).length, WINDOW_BYTES / MIB);
  assert.equal(machine.expected(1)?.digest, "d0");
  const effects = machine.step({ t: "piece", lane: 1, verdict: "good" });
  assert.deepEqual(named(effects, "keep"), [{ t: "keep", transfer: 1, want: wants(1)[0] }]);
  assert.deepEqual(asked(effects), ["d8"]);
});

test("a slow source gets fewer pieces, and at the end a fast one is asked for what it owes", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(24), peers: [A, B] });
  machine.step({ t: "lane-opened", lane: 1, peer: A });
  machine.step({ t: "lane-opened", lane: 2, peer: B });
  const kept: FetchEffect[] = [];
  const all: FetchEffect[] = [];
  for (let turn = 0; turn < 100 && machine.owes(2); turn++) {
    const effects = machine.step({ t: "piece", lane: 2, verdict: "good" });
    kept.push(...named(effects, "keep"));
    all.push(...effects);
  }
  assert.equal(kept.length, 24, "the fast one gave all, since the slow one gave nothing");
  assert.deepEqual(named(all, "ended"), [{ t: "ended", transfer: 1, missing: 0 }]);
  assert.deepEqual(named(all, "close-lane"), [{ t: "close-lane", lane: 1 }]);
});

test("what a lane owes when it is cut is asked of another; a second copy is not kept", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(3), peers: [A, B] });
  machine.step({ t: "lane-opened", lane: 1, peer: A });
  machine.step({ t: "lane-opened", lane: 2, peer: B });
  const cut = machine.step({ t: "lane-ended", lane: 1, why: "cut" });
  assert.deepEqual(new Set([...asked(cut, 2), "d1", "d2"]), new Set(["d0", "d1", "d2"]));
  const verdicts = [1, 2, 3].flatMap(() => machine.step({ t: "piece", lane: 2, verdict: "good" }));
  assert.equal(named(verdicts, "keep").length, 3);
  assert.ok(machine.isIdle);
});

test("a source that serves wrong bytes is dropped and its lane closed; alone, the transfer ends short", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(4), peers: [A] });
  machine.step({ t: "lane-opened", lane: 1, peer: A });
  machine.step({ t: "piece", lane: 1, verdict: "good" });
  const effects = machine.step({ t: "piece", lane: 1, verdict: "wrong" });
  assert.deepEqual(named(effects, "dropped"), [
    { t: "dropped", transfer: 1, peer: A, why: "wrong", digest: "d1" },
  ]);
  assert.deepEqual(named(effects, "close-lane"), [{ t: "close-lane", lane: 1 }]);
  assert.deepEqual(named(effects, "ended"), [{ t: "ended", transfer: 1, missing: 3 }]);
  assert.equal(machine.expected(1), undefined);
});

test("a source that cannot be reached is tried twice", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(1), peers: [A] });
  const first = machine.step({ t: "lane-failed", peer: A });
  assert.deepEqual(first, [{ t: "need-lane", peer: A }]);
  const second = machine.step({ t: "lane-failed", peer: A });
  assert.deepEqual(named(second, "dropped").length, 1);
  assert.deepEqual(named(second, "ended"), [{ t: "ended", transfer: 1, missing: 1 }]);
});

test("a small transfer goes before a large one on the same lane", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(50), peers: [A] });
  machine.step({ t: "lane-opened", lane: 1, peer: A });
  machine.step({ t: "transfer", transfer: 2, wants: wants(1, 1000, 100), peers: [A] });
  const effects = machine.step({ t: "piece", lane: 1, verdict: "good" });
  assert.deepEqual(asked(effects).slice(0, 1), ["d100"]);
});

test("a piece that its source has no more is asked of another one", () => {
  const machine = new FetchMachine();
  machine.step({ t: "transfer", transfer: 1, wants: wants(1), peers: [A] });
  machine.step({ t: "lane-opened", lane: 1, peer: A });
  machine.step({ t: "peer", transfer: 1, peer: B });
  const effects = machine.step({ t: "piece", lane: 1, verdict: "missing" });
  assert.deepEqual(named(effects, "need-lane"), [{ t: "need-lane", peer: B }]);
  assert.deepEqual(named(effects, "ended"), []);
});
