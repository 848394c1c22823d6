import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CANCEL_MS_MAX,
  LEASE_MS,
  LEASE_YOUNG_MS,
} from "../../../../daemon/placement/placement-limits.ts";
import type { PlacementEvent } from "../../../../daemon/placement/placement-events.ts";
import type { MemoKey } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { done, grantsOf, Owner, run, settledOf } from "../../../support/placement-owner.ts";

test("the leases of a peer that is gone are lost at once", () => {
  const owner = new Owner("a");
  owner.place("a");
  const effects = owner.accept({ t: "peer-lost", peer: "a" as PeerId, reason: "gone" });
  assert.deepEqual(settledOf(effects), [["lost", "lost"]]);
  const [settled] = effects.filter((effect) => effect.t === "settle");
  assert.ok(settled?.t === "settle");
  assert.deepEqual(settled.result.outcomes[0]?.error, {
    code: "PEER_LOST",
    details: { peer: "a", reason: "gone" },
  });
});

test("an unreachable peer keeps its lease as long as it was renewed", () => {
  const owner = new Owner("a");
  const lease = owner.place("a");
  owner.now = LEASE_MS;
  assert.deepEqual(settledOf(owner.accept({ t: "tick" })), []);
  owner.accept({ t: "renewed", peer: "a" as PeerId, leases: [lease], isWhole: true });
  owner.now = 2 * LEASE_MS;
  assert.deepEqual(settledOf(owner.accept({ t: "tick" })), []);
  owner.now += 1;
  assert.deepEqual(settledOf(owner.accept({ t: "tick" })), [["lost", "lost"]]);
});

test("a renewal that does not name an old lease ends it, one that names a stranger's is no renewal", () => {
  const owner = new Owner("a", "b");
  const lease = owner.place("a");
  const renewed = { t: "renewed", leases: [] as string[], isWhole: true } as const;
  assert.deepEqual(settledOf(owner.accept({ ...renewed, peer: "a" as PeerId })), [], "it is young");
  owner.now = LEASE_YOUNG_MS + 1;
  owner.accept({ t: "renewed", peer: "b" as PeerId, leases: [lease], isWhole: true });
  assert.deepEqual(settledOf(owner.accept({ ...renewed, peer: "a" as PeerId })), [
    ["lost", "lost"],
  ]);
});

test("a late outcome wins where its task has not ended elsewhere, and stops the second attempt", () => {
  const owner = new Owner("a", "b");
  owner.submit(1);
  const [first] = grantsOf(owner.offer("a"));
  assert.ok(first !== undefined);
  owner.answer("a", first.lease, "accepted");
  owner.accept({ t: "peer-lost", peer: "a" as PeerId, reason: "gone" });
  owner.submit(1, { memoKeys: ["0-0" as MemoKey] });
  const [second] = grantsOf(owner.offer("b"));
  assert.ok(second !== undefined);
  const effects = owner.handIn("a", first.lease, [done(0)]);
  assert.deepEqual(settledOf(effects), [["succeeded"]]);
  assert.ok(effects.some((effect) => effect.t === "cancel" && effect.peer === "b"));
  assert.deepEqual(settledOf(owner.handIn("b", second.lease, [done(0)])), [], "dropped");
});

test("a grant without an answer goes elsewhere, and the peer is told to stop", () => {
  const owner = new Owner("a", "b");
  owner.submit();
  const [grant] = grantsOf(owner.offer("a"));
  owner.offer("b");
  assert.ok(grant !== undefined);
  const effects = owner.accept({ t: "grant-failed", peer: "a" as PeerId, leases: [grant.lease] });
  assert.deepEqual(
    grantsOf(effects).map(({ peer }) => peer),
    ["b"],
  );
  assert.ok(effects.some((effect) => effect.t === "cancel" && effect.peer === "a"));
  assert.deepEqual(
    settledOf(owner.handIn("a", grant.lease, [done(0), done(1)])),
    [["succeeded", "succeeded"]],
    "it had taken the batch after all",
  );
});

test("cancelling ends what waits at once and what runs when it says so, or after the grace", () => {
  const owner = new Owner("a");
  owner.submit();
  assert.deepEqual(settledOf(owner.accept({ t: "cancel-asked", ticket: 0 })), [
    ["cancelled", "cancelled"],
  ]);
  const lease = owner.place("a");
  const effects = owner.accept({ t: "cancel-asked", ticket: 1 });
  assert.deepEqual(
    effects.map((effect) => effect.t),
    ["cancel"],
  );
  owner.now += CANCEL_MS_MAX;
  assert.deepEqual(settledOf(owner.accept({ t: "tick" })), [["cancelled", "cancelled"]]);
  assert.deepEqual(settledOf(owner.handIn("a", lease, [done(0), done(1)])), []);
});

test("what did not fit into a message is granted by itself", () => {
  const owner = new Owner("a");
  owner.submit(4);
  const [grant] = grantsOf(owner.offer("a"));
  assert.ok(grant !== undefined);
  const rest = grantsOf(
    owner.accept({ t: "ungranted", lease: grant.lease, positions: [2, 3], isTooLarge: false }),
  );
  assert.deepEqual(
    rest.map(({ positions }) => positions),
    [[2, 3]],
  );
  owner.handIn("a", grant.lease, [done(0), done(1)]);
  const effects = owner.handIn("a", rest[0]?.lease ?? "", [done(0), done(1)]);
  assert.deepEqual(settledOf(effects), [["succeeded", "succeeded", "succeeded", "succeeded"]]);
});

test("adopted work answers the batches that name its tasks, before and after they are planned", () => {
  const owner = new Owner("a");
  const memoKeys = ["k0", "k1"] as MemoKey[];
  const adopted = (lease: string): PlacementEvent => ({
    t: "adopted",
    leases: [{ lease, peer: "a" as PeerId, run, memoKeys }],
  });
  owner.accept(adopted("old-1"));
  assert.deepEqual(owner.submit(2, { memoKeys }), [], "nobody else is asked");
  assert.deepEqual(settledOf(owner.handIn("a", "old-1", [done(0), done(1)])), [
    ["succeeded", "succeeded"],
  ]);
  owner.accept(adopted("old-2"));
  assert.deepEqual(owner.handIn("a", "old-2", [done(0), done(1)]), []);
  assert.deepEqual(settledOf(owner.submit(2, { memoKeys })), [["succeeded", "succeeded"]]);
});

test("adopted work that is lost is lost for the batch that waits for it", () => {
  const owner = new Owner("a");
  const memoKeys = ["k0"] as MemoKey[];
  owner.accept({ t: "adopted", leases: [{ lease: "old-1", peer: "a" as PeerId, run, memoKeys }] });
  owner.submit(1, { memoKeys });
  const effects = owner.accept({ t: "peer-lost", peer: "a" as PeerId, reason: "gone" });
  assert.deepEqual(settledOf(effects), [["lost"]]);
});
