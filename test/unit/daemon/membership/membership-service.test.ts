import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import {
  createMembership,
  type Membership,
  type MembershipOptions,
} from "../../../../daemon/membership/membership-service.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import type { PeerEvent } from "../../../../src/wire/peer-directory.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../../support/memory-network.ts";
import { exampleLoad } from "../../../support/membership-world.ts";
import { peer } from "./mesh-fixture.ts";

class Mesh {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork = createMemoryNetwork({ clock: this.clock });
  readonly #context: TestContext;

  constructor(context: TestContext) {
    this.#context = context;
  }

  async add(
    name: string,
    options: Partial<MembershipOptions> & { seed?: Transport } = {},
  ): Promise<{ transport: Transport; membership: Membership; events: PeerEvent[] }> {
    const transport = this.network.transport(peer(name));
    await transport.start();
    const { seed } = options;
    const membership = createMembership({
      transport,
      clock: this.clock,
      random: systemRandom,
      logger: silentLogger,
      profile: {
        name,
        version: "1",
        roles: ["work"],
        labels: {},
        platform: "linux-x64",
        abi: "115",
      },
      bootCounter: 1,
      localLoad: () => exampleLoad(),
      seeds: seed === undefined ? [] : [{ peer: seed.self, addresses: seed.addresses() }],
      bootMs: () => this.clock.monotonic(),
      ...options,
    });
    const events: PeerEvent[] = [];
    membership.subscribe((event) => events.push(event));
    membership.start();
    this.#context.after(async () => {
      membership.stop();
      await transport.stop();
    });
    return { transport, membership, events };
  }

  /** Virtual time, with turns of the real loop for what the network passes on in microtasks. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(250);
      await turn();
    }
  }
}

function states(membership: Membership): Record<PeerId, string> {
  return Object.fromEntries(membership.peers().map(({ id, state }) => [id, state]));
}

test("three peers find each other through one, with profiles, loads and round trips", async (t) => {
  const mesh = new Mesh(t);
  const remembered: PeerId[][] = [];
  const a = await mesh.add("a", {
    remember: (peers) => remembered.push(peers.map(({ peer }) => peer).toSorted()),
  });
  const b = await mesh.add("b", { seed: a.transport });
  const c = await mesh.add("c", { seed: a.transport });
  await mesh.pass(5000);
  for (const { membership } of [a, b, c])
    assert.deepEqual(Object.values(states(membership)), ["alive", "alive", "alive"]);
  const view = b.membership.get(peer("c"));
  assert.equal(view?.profile?.name, "c");
  assert.deepEqual(view?.load, exampleLoad());
  assert.notEqual(view?.latencyMs, undefined);
  assert.deepEqual(remembered.at(-1), [peer("b"), peer("c")]);
});

test("a killed peer is gone, and restarted when a new process of it is there", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.add("a");
  const b = await mesh.add("b", { seed: a.transport });
  await mesh.pass(3000);
  b.membership.stop();
  mesh.network.kill(peer("b"));
  await mesh.pass(1500);
  assert.equal(a.membership.get(peer("b"))?.state, "dead");
  await mesh.add("b", { seed: a.transport, bootCounter: 2 });
  await mesh.pass(3000);
  assert.equal(a.membership.get(peer("b"))?.state, "alive");
  const told = a.events.map(({ t }) => t).filter((kind) => kind !== "changed");
  assert.deepEqual(told, ["gone", "restarted"]);
});

test("a peer that leaves is left, and one that sleeps asleep, to all", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.add("a");
  const b = await mesh.add("b", { seed: a.transport });
  const c = await mesh.add("c", { seed: a.transport });
  await mesh.pass(3000);
  b.membership.leave("leave");
  c.membership.leave("sleep");
  await mesh.pass(250);
  b.membership.stop();
  c.membership.stop();
  await mesh.pass(30_000);
  assert.deepEqual(states(a.membership), {
    [peer("a")]: "alive",
    [peer("b")]: "left",
    [peer("c")]: "asleep",
  });
});

test("a clock that jumped is told before anything else is done", async (t) => {
  const mesh = new Mesh(t);
  let bootMs = 0;
  const slept: number[] = [];
  await mesh.add("a", { bootMs: () => bootMs, onSlept: (ms) => slept.push(ms) });
  await mesh.pass(2000);
  bootMs += 3_600_000;
  await mesh.pass(2000);
  assert.deepEqual(slept, [3_599_000]);
});

test("a listener that throws harms nobody, and a stopped service leaves no timer", async (t) => {
  const mesh = new Mesh(t);
  const a = await mesh.add("a");
  a.membership.subscribe(() => {
    throw new Error("listener");
  });
  const b = await mesh.add("b", { seed: a.transport });
  await mesh.pass(3000);
  assert.equal(a.membership.get(peer("b"))?.state, "alive");
  for (const { membership, transport } of [a, b]) {
    membership.stop();
    await transport.stop();
  }
  await mesh.pass(60_000);
  assert.equal(mesh.clock.timerCount, 0);
});
