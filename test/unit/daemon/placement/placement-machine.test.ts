import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AVOID_MS,
  CANCEL_MS_MAX,
  FAULTS_MAX,
  LEASE_MS,
  LEASE_YOUNG_MS,
  LOCALITY_WAIT_MS_MAX,
} from "../../../../daemon/placement/placement-limits.ts";
import type {
  PlacementEffect,
  PlacementEvent,
  TicketRequest,
} from "../../../../daemon/placement/placement-events.ts";
import { PlacementMachine } from "../../../../daemon/placement/placement-machine.ts";
import type { MemoKey, RunId, RunRef } from "../../../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import type { AttemptOutcome } from "../../../../src/task/host-messages.ts";
import type { Room } from "../../../../src/wire/placement-values.ts";

const run: RunRef = { flow: "f", id: "r" as RunId };
const FULL: Room = { slots: 0, queue: 0, cores: 0, memBytes: 0, gpus: 0 };
const FREE: Room = { slots: 2, queue: 2, cores: 2, memBytes: 1e9, gpus: 0 };

function view(id: string, changes: Partial<PeerView> = {}): PeerView {
  return {
    id: id as PeerId,
    isSelf: id === "me",
    state: "alive",
    addresses: [],
    isConnected: true,
    profile: {
      name: id,
      version: "1",
      roles: ["work"],
      labels: {},
      platform: "linux-x64",
      abi: "1",
    },
    load: {
      cpus: 2,
      cpuBusy: 0,
      memBytes: 1e9,
      memFreeBytes: 1e9,
      gpus: [],
      diskFreeBytes: 1e12,
      store: "rw",
      slots: { total: 2, busy: 0 },
      queue: 0,
      loopDelayMs: 0,
      isAccepting: true,
    },
    ...changes,
  };
}

class Owner {
  readonly machine: PlacementMachine;
  peers: PeerView[];
  now = 0;
  #tickets = 0;

  constructor(...names: string[]) {
    this.peers = names.map((name) => view(name));
    const book = {
      self: "me" as PeerId,
      peers: () => this.peers,
      nameOf: (peer: PeerId) => peer,
    };
    this.machine = new PlacementMachine(book, { draw: () => 0.5, leasePrefix: "x" });
  }

  accept(event: PlacementEvent): readonly PlacementEffect[] {
    return this.machine.accept(event, this.now);
  }

  submit(count = 2, changes: Partial<TicketRequest> = {}): readonly PlacementEffect[] {
    const id = this.#tickets++;
    const memoKeys = Array.from({ length: count }, (_, i) => `${id}-${i}` as MemoKey);
    const demand = { cores: 1, memBytes: 0, gpus: 0 };
    const known = { labels: [], isNative: false, isExclusive: false, environment: "code" };
    const ticket = { id, run, step: "s", memoKeys, demand, ...known, missingBytes: () => 0 };
    return this.accept({ t: "submitted", ticket: { ...ticket, ...changes } });
  }

  offer(peer: string, room = FREE): readonly PlacementEffect[] {
    const need = { demand: { cores: 1, memBytes: 0, gpus: 0 }, isExclusive: false };
    return this.accept({
      t: "offered",
      peer: peer as PeerId,
      need,
      offer: { isAccepting: true, room },
    });
  }

  /** Submits and has it accepted by the peer. */
  place(peer: string, count = 2): string {
    this.submit(count);
    const lease = grantsOf(this.offer(peer))[0]?.lease;
    assert.ok(lease !== undefined);
    this.answer(peer, lease, "accepted");
    return lease;
  }

  answer(
    peer: string,
    lease: string,
    answer: "accepted" | "busy" | "unfit" | "fenced" | "denied",
  ): readonly PlacementEffect[] {
    return this.accept({
      t: "granted",
      peer: peer as PeerId,
      answers: [{ lease, answer }],
      room: FULL,
    });
  }

  handIn(
    peer: string,
    lease: string,
    outcomes: AttemptOutcome[],
    room = FULL,
  ): readonly PlacementEffect[] {
    return this.accept({
      t: "handed-in",
      peer: peer as PeerId,
      outcomes: { lease, outcomes, isLast: true, isUnfit: false },
      room,
    });
  }
}

function grantsOf(
  effects: readonly PlacementEffect[],
): { peer: string; lease: string; positions: readonly number[] }[] {
  return effects.flatMap((effect) =>
    effect.t === "grant" ? effect.items.map((item) => ({ peer: effect.peer, ...item })) : [],
  );
}

function probesOf(effects: readonly PlacementEffect[]): string[] {
  return effects
    .flatMap((effect) => (effect.t === "probe" ? [effect.peer as string] : []))
    .sort((a, b) => a.localeCompare(b));
}

function settledOf(effects: readonly PlacementEffect[]): string[][] {
  return effects.flatMap((effect) =>
    effect.t === "settle" ? [effect.result.outcomes.map(({ result }) => result)] : [],
  );
}

const done = (position: number): AttemptOutcome => ({
  position,
  result: "succeeded",
  outputs: {},
  wallMs: 1,
  cpuMs: 1,
  rssBytesMax: 1,
});

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
