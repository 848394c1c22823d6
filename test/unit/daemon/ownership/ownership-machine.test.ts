import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunOwner } from "../../../../src/model/journal.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import type { JournalSpan, JournalView } from "../../../../src/wire/ownership-protocol.ts";
import {
  agreement,
  compareOwners,
  isAhead,
} from "../../../../daemon/ownership/journal-agreement.ts";
import { rankPeers } from "../../../../daemon/ownership/keeper-rank.ts";
import type { CopyState, PeersNow } from "../../../../daemon/ownership/ownership-events.ts";
import { OwnershipMachine } from "../../../../daemon/ownership/ownership-machine.ts";
import {
  APPEND_PAUSE_MS,
  CLAIM_STAGGER_MS,
} from "../../../../daemon/ownership/ownership-limits.ts";
import type { RunId } from "../../../../src/model/ids.ts";

const id = (name: string): PeerId => name as PeerId;
const owner = (name: string, ballot: number): RunOwner => ({ peer: id(name), name, ballot });
const span = (name: string, ballot: number, from: number): JournalSpan => ({
  peer: id(name),
  ballot,
  from,
});
const view = (length: number, spans: JournalSpan[], hasEnded = false): JournalView => ({
  length,
  spans,
  hasEnded,
});
const peers = (alive: string[], ranked = alive): PeersNow => ({
  alive: new Set(alive.map(id)),
  ranked: ranked.map(id),
});

function copyOf(length: number, hasEnded = false): CopyState {
  return {
    view: view(length, [span("a", 1, 1)], hasEnded),
    by: owner("a", 1),
    keepers: [id("b"), id("c")],
    holders: [id("a"), id("b"), id("c")],
  };
}

function holder(self: string, alive = ["a", "b", "c"]): OwnershipMachine {
  return new OwnershipMachine({
    self: { peer: id(self), name: self },
    copy: copyOf(5),
    peers: peers(alive),
    role: "holder",
    now: 0,
  });
}

const effectNames = (machine: OwnershipMachine): string[] =>
  machine.takeEffects().map((effect) => effect.t);

test("copies agree as far as both have a span in common", () => {
  const a = span("a", 1, 1);
  assert.equal(agreement(view(10, [a]), view(7, [a])), 7);
  assert.equal(agreement(view(10, [a]), view(9, [a, span("b", 2, 8)])), 8);
  assert.equal(agreement(view(10, [a, span("c", 2, 6)]), view(9, [a, span("b", 2, 8)])), 6);
  assert.equal(agreement(view(10, [a]), view(10, [span("z", 1, 1)])), 0);
  assert.equal(agreement(view(0, []), view(10, [a])), 0);
  assert.equal(agreement(view(10, [a, span("b", 2, 8)]), view(4, [a])), 4);
});

test("a later owner's shorter journal is ahead of an earlier owner's longer one", () => {
  const a = span("a", 1, 1);
  assert.ok(isAhead(view(6, [a, span("b", 2, 5)]), view(10, [a])));
  assert.ok(!isAhead(view(10, [a]), view(6, [a, span("b", 2, 5)])));
  assert.ok(isAhead(view(7, [a]), view(6, [a])));
  assert.ok(!isAhead(view(6, [a]), view(6, [a])));
});

test("the same ballot on two sides is decided by the peer's id", () => {
  assert.ok(compareOwners(owner("c", 2), owner("b", 2)) > 0);
  assert.ok(compareOwners(owner("b", 3), owner("c", 2)) > 0);
  assert.equal(compareOwners(owner("b", 2), owner("b", 2)), 0);
});

test("the first keeper asks at once when the owner is gone, the second after its stagger", () => {
  const first = holder("b");
  first.accept({ t: "peers-changed", peers: peers(["b", "c"]) }, 100);
  assert.deepEqual(effectNames(first), ["ask-others"]);
  const second = holder("c");
  second.accept({ t: "peers-changed", peers: peers(["b", "c"]) }, 100);
  assert.deepEqual(effectNames(second), []);
  assert.equal(second.state.dueAt, 100 + CLAIM_STAGGER_MS);
  second.accept({ t: "tick" }, 100 + CLAIM_STAGGER_MS);
  assert.deepEqual(effectNames(second), ["ask-others"]);
});

test("an owner that is back before the stagger is over stays the owner", () => {
  const second = holder("c");
  second.accept({ t: "peers-changed", peers: peers(["b", "c"]) }, 100);
  second.accept({ t: "peers-changed", peers: peers(["a", "b", "c"]) }, 900);
  second.accept({ t: "tick" }, 100 + CLAIM_STAGGER_MS);
  assert.deepEqual(effectNames(second), []);
});

test("a claim pulls the longest journal first and takes a ballot above every one it heard of", () => {
  const machine = holder("b");
  machine.accept({ t: "peers-changed", peers: peers(["b", "c", "d"], ["c", "d"]) }, 100);
  const [ask] = machine.takeEffects();
  assert.ok(ask?.t === "ask-others");
  const others = [{ peer: id("c"), by: owner("z", 4), view: view(9, [span("a", 1, 1)]) }];
  machine.accept({ t: "others-answered", asked: ask.asked, others }, 120);
  assert.deepEqual(machine.takeEffects(), [{ t: "pull", from: "c" }]);
  machine.accept({ t: "journal-grew", copy: copyOf(9) }, 130);
  machine.accept({ t: "pulled", isDone: true }, 131);
  const [write] = machine.takeEffects();
  assert.ok(write?.t === "write-owner");
  assert.equal(write.by.ballot, 5);
  assert.deepEqual(write.keepers, ["c", "d"]);
  assert.ok(!machine.state.isOwning, "not before the entry is durable");
});

test("nobody claims where an answer names a later owner that is there", () => {
  const machine = holder("b");
  machine.accept({ t: "peers-changed", peers: peers(["b", "c"]) }, 100);
  const [ask] = machine.takeEffects();
  assert.ok(ask?.t === "ask-others");
  const others = [{ peer: id("c"), by: owner("c", 2), view: view(9, [span("a", 1, 1)]) }];
  machine.accept({ t: "others-answered", asked: ask.asked, others }, 120);
  assert.deepEqual(machine.takeEffects(), [{ t: "pull", from: "c" }]);
  assert.equal(machine.state.owner.peer, "c");
  assert.ok(!machine.state.isOwning);
});

test("an owner that hears of a higher ballot abandons the run; a lower one is told who owns it", () => {
  const machine = new OwnershipMachine({
    self: { peer: id("a"), name: "a" },
    copy: copyOf(5),
    peers: peers(["a", "b", "c"], ["b", "c"]),
    role: "owner",
    now: 0,
  });
  machine.takeEffects();
  machine.accept({ t: "owner-told", by: owner("z", 0), from: id("z") }, 10);
  assert.deepEqual(machine.takeEffects(), [{ t: "announce", to: "z" }]);
  machine.accept({ t: "owner-told", by: owner("b", 2) }, 20);
  assert.deepEqual(effectNames(machine), ["abandon", "pull"]);
  assert.ok(!machine.state.isOwning);
});

test("keepers that are up to date get the latest entries together, at most every APPEND_PAUSE_MS", () => {
  const machine = new OwnershipMachine({
    self: { peer: id("a"), name: "a" },
    copy: copyOf(5),
    peers: peers(["a", "b", "c"], ["b", "c"]),
    role: "owner",
    now: 0,
  });
  const sent = (): unknown[] =>
    machine
      .takeEffects()
      .flatMap((effect) => (effect.t === "send-append" ? [[effect.to, effect.from]] : []));
  const grow = (length: number, now: number, hasEnded = false): void =>
    machine.accept({ t: "journal-grew", copy: copyOf(length, hasEnded) }, now);
  assert.equal(sent().length, 2, "whoever has nothing is sent to at once");
  for (const to of [id("b"), id("c")])
    machine.accept({ t: "append-answered", to, length: 5 }, to === "b" ? 2 : 4);
  grow(6, 5);
  assert.deepEqual(sent(), [], "the next round");
  assert.equal(machine.state.dueAt, APPEND_PAUSE_MS);
  grow(7, APPEND_PAUSE_MS);
  assert.deepEqual(sent(), [
    ["b", 5],
    ["c", 5],
  ]);
  machine.accept({ t: "append-answered", to: id("b"), length: 6 }, APPEND_PAUSE_MS + 1);
  assert.deepEqual(sent(), [["b", 6]], "its page was full: there is more");
  machine.accept({ t: "append-answered", to: id("c"), length: 7 }, APPEND_PAUSE_MS + 2);
  grow(8, APPEND_PAUSE_MS + 3, true);
  assert.deepEqual(sent(), [["c", 7]], "the end waits for nothing");
});

test("keepers are replaced one at a time, and only by a peer that is there", () => {
  const machine = new OwnershipMachine({
    self: { peer: id("a"), name: "a" },
    copy: copyOf(5),
    peers: peers(["a", "b", "c"], ["b", "c"]),
    role: "owner",
    now: 0,
  });
  for (const to of [id("b"), id("c")]) {
    machine.accept({ t: "append-answered", to, length: 5 }, 1);
    machine.accept({ t: "keep-answered", to, isStored: true }, 2);
  }
  assert.equal(machine.state.storedCount, 2);
  machine.takeEffects();
  machine.accept({ t: "peers-changed", peers: peers(["a"], []) }, 3);
  assert.deepEqual(effectNames(machine), [], "nobody is there to replace them");
  machine.accept({ t: "peers-changed", peers: peers(["a", "d", "e"], ["d", "e"]) }, 4);
  const writes = machine.takeEffects().filter((effect) => effect.t === "write-owner");
  assert.deepEqual(
    writes.map((write) => write.keepers),
    [["c", "d"]],
  );
});

test("ranks are the same everywhere, spread runs evenly, and respect weights", () => {
  const names = ["a", "b", "c", "d", "e"].map(id);
  const firsts = new Map<PeerId, number>();
  for (let i = 0; i < 2000; i++) {
    const run = { flow: "f", id: `r${i}` as RunId };
    const weightOf = (peer: PeerId): number => (peer === "e" ? 0.5 : 1);
    const ranked = rankPeers(run, names, weightOf);
    assert.deepEqual(rankPeers(run, [...names].reverse(), weightOf), ranked);
    const first = ranked[0] ?? id("");
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  const share = (name: string): number => (firsts.get(id(name)) ?? 0) / 2000;
  for (const name of ["a", "b", "c", "d"]) assert.ok(Math.abs(share(name) - 1 / 4.5) < 0.04);
  assert.ok(Math.abs(share("e") - 0.5 / 4.5) < 0.03);
  assert.deepEqual(
    rankPeers({ flow: "f", id: "r" as RunId }, names, () => 0),
    [],
  );
});

test("fenced by a worker with a ballot nobody owns, an owner asks and claims above it", () => {
  const machine = new OwnershipMachine({
    self: { peer: id("a"), name: "a" },
    copy: copyOf(5),
    peers: peers(["a", "b", "c"], ["b", "c"]),
    role: "owner",
    now: 0,
  });
  machine.takeEffects();
  machine.accept({ t: "run-broken", fencedBy: 7 }, 10);
  const [ask] = machine.takeEffects().filter((effect) => effect.t === "ask-others");
  assert.deepEqual(ask?.peers, ["b", "c"]);
  const others = [{ peer: id("b"), by: owner("a", 1), view: view(5, [span("a", 1, 1)]) }];
  machine.accept({ t: "others-answered", asked: ask?.asked ?? 0, others }, 20);
  const [write] = machine.takeEffects();
  assert.equal(write?.t === "write-owner" && write.by.ballot, 8);
});

test("a former holder is told again when the run ends, and fetches the end at once", () => {
  const held = (length: number, hasEnded: boolean): CopyState => ({
    ...copyOf(length, hasEnded),
    holders: ["a", "b", "c", "d"].map(id),
  });
  const owning = new OwnershipMachine({
    self: { peer: id("a"), name: "a" },
    copy: held(5, false),
    peers: peers(["a", "b", "c", "d"], ["b", "c", "d"]),
    role: "owner",
    now: 0,
  });
  const tells = (): string[] =>
    owning.takeEffects().flatMap((effect) => (effect.t === "tell" ? [effect.to] : []));
  assert.deepEqual(tells(), ["d"]);
  owning.accept({ t: "tell-answered", to: id("d"), isTold: true }, 1);
  owning.accept({ t: "journal-grew", copy: held(9, true) }, 2);
  assert.deepEqual(tells(), ["d"]);

  const former = holder("d", ["a", "b", "c", "d"]);
  former.accept({ t: "owner-told", by: owner("a", 1) }, 3);
  assert.deepEqual(former.takeEffects(), [{ t: "pull", from: "a" }]);
});
