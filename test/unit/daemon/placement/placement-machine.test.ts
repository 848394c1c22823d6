import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AVOID_MS,
  FAULTS_MAX,
  LOCALITY_WAIT_MS_MAX,
} from "../../../../daemon/placement/placement-limits.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import {
  done,
  FREE,
  FULL,
  grantsOf,
  Owner,
  probesOf,
  settledOf,
  view,
} from "../../../support/placement-owner.ts";

test("a batch is offered to at most four peers, and goes to one that has room", () => {
  const owner = new Owner("me", "a", "b", "c", "d", "e", "f");
  const asked = probesOf(owner.submit());
  assert.equal(asked.length, 4);
  const [first = "", second = ""] = asked;
  assert.deepEqual(grantsOf(owner.offer(first, FULL)), []);
  assert.deepEqual(
    grantsOf(owner.offer(second)).map(({ peer }) => peer),
    [second],
  );
});

test("peers that cannot run it are not asked", () => {
  const owner = new Owner("me", "a", "b", "c", "d");
  const plain = view("a");
  assert.ok(plain.load !== undefined && plain.profile !== undefined);
  owner.peers = [
    view("me", { load: { ...plain.load, isAccepting: false } }),
    view("a", { state: "suspect" }),
    view("b", { profile: { ...plain.profile, roles: ["store"] } }),
    view("c", { load: { ...plain.load, store: "full" } }),
    view("d"),
  ];
  assert.deepEqual(probesOf(owner.submit()), ["d"]);
  const labelled = new Owner("me", "a");
  labelled.peers = [
    view("me"),
    view("a", { profile: { ...plain.profile, labels: { gpu: "h100" } } }),
  ];
  assert.deepEqual(probesOf(labelled.submit(1, { labels: ["gpu=h100"] })), ["a"]);
  assert.deepEqual(
    probesOf(new Owner("me").submit(1, { demand: { cores: 3, memBytes: 0, gpus: 0 } })),
    [],
  );
});

test("several batches that fit at one peer travel together", () => {
  const owner = new Owner("a");
  owner.submit();
  owner.submit();
  owner.submit();
  const granted = grantsOf(owner.offer("a"));
  assert.equal(granted.length, 2, "two slots");
  assert.equal(granted.length, new Set(granted.map(({ lease }) => lease)).size);
});

test("outcomes settle a batch, and the room that came with them takes the next at once", () => {
  const owner = new Owner("a");
  const lease = owner.place("a");
  owner.submit();
  const effects = owner.handIn("a", lease, [done(0), done(1)], FREE);
  assert.deepEqual(settledOf(effects), [["succeeded", "succeeded"]]);
  assert.equal(grantsOf(effects).length, 1);
});

test("what a worker gives back in part goes back to the engine, given back whole it finds another place", () => {
  const owner = new Owner("a", "b");
  const lease = owner.place("a");
  assert.deepEqual(settledOf(owner.handIn("a", lease, [done(0)])), [["succeeded", "not-started"]]);
  const next = owner.place("a");
  owner.offer("b");
  const effects = owner.handIn("a", next, []);
  assert.deepEqual(settledOf(effects), []);
  assert.deepEqual(
    grantsOf(effects).map(({ peer }) => peer),
    ["b"],
  );
});

test("a peer with many faults is avoided for a while", () => {
  const owner = new Owner("a");
  owner.submit();
  for (let i = 0; i <= FAULTS_MAX; i++) {
    owner.now += 5_000;
    owner.accept({ t: "probe-failed", peer: "a" as PeerId });
  }
  owner.now += AVOID_MS - 1;
  assert.deepEqual(probesOf(owner.accept({ t: "tick" })), []);
  owner.now += 2;
  assert.deepEqual(probesOf(owner.accept({ t: "tick" })), ["a"]);
});

test("where no peer has the environment, the tasks fail instead of waiting for ever", () => {
  const owner = new Owner("a", "b");
  owner.submit();
  for (const peer of ["a", "b"]) {
    const [grant] = grantsOf(owner.offer(peer));
    assert.ok(grant !== undefined);
    const effects = owner.answer(peer, grant.lease, "unfit");
    if (peer === "b") assert.deepEqual(settledOf(effects), [["failed", "failed"]]);
  }
});

test("a peer that refuses what it said it had room for is not granted the same again at once", () => {
  const owner = new Owner("a");
  owner.submit();
  const [grant] = grantsOf(owner.offer("a"));
  assert.ok(grant !== undefined);
  const answers = [{ lease: grant.lease, answer: "busy" as const }];
  const effects = owner.accept({ t: "granted", peer: "a" as PeerId, answers, room: FREE });
  assert.deepEqual(grantsOf(effects), []);
  owner.now += 100;
  assert.deepEqual(probesOf(owner.accept({ t: "tick" })), ["a"]);
});

test("a fenced owner is told so", () => {
  const owner = new Owner("a");
  owner.submit();
  const [grant] = grantsOf(owner.offer("a"));
  assert.ok(grant !== undefined);
  const effects = owner.answer("a", grant.lease, "fenced");
  assert.deepEqual(
    effects.map((effect) => effect.t),
    ["fenced"],
  );
});

test("a batch waits a moment for the peer that has its inputs, but not for long", () => {
  const owner = new Owner("a", "b");
  const missingBytes = (peer: PeerId): number => (peer === "a" ? 0 : 1e9);
  owner.submit(1, { missingBytes });
  owner.offer("a", FULL);
  assert.deepEqual(grantsOf(owner.offer("b")), []);
  owner.now = LOCALITY_WAIT_MS_MAX;
  assert.deepEqual(
    grantsOf(owner.offer("b")).map(({ peer }) => peer),
    ["b"],
  );
});

test("a pull gets what waits, or the answer that there is nothing", () => {
  const owner = new Owner("a");
  const pulled = { t: "pulled", peer: "a" as PeerId, room: FREE } as const;
  assert.deepEqual(
    owner.accept(pulled).map((effect) => effect.t),
    ["nothing"],
  );
  owner.accept({ t: "tick" });
  owner.submit();
  owner.now += 10_000;
  owner.submit();
  assert.deepEqual(
    owner.accept(pulled).map((effect) => effect.t),
    ["grant"],
  );
});
