/**
 * Histories of a mesh whose peers write marks, are cut off from each other, restart and have clocks that differ. At the end every store
 * has the same marks, and of each the latest that anybody wrote: nothing is lost, nothing that was taken off comes back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ASK_MS_MAX, COMPARE_INTERVAL_MS } from "../../daemon/marks/marks-limits.ts";
import { openMarks, type Marks } from "../../daemon/marks/marks-service.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import { isLater, latestMarks, markKey, type Mark } from "../../src/model/mark.ts";
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { Durable, FakeStore } from "../support/fake-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { createMemoryNetwork } from "../support/memory-network.ts";

const NAMES = ["ada", "bob", "cyd", "dan"];
const idOf = (name: string): PeerId => `12D3KooW${name}` as PeerId;

class MarkPeer {
  readonly durable = new Durable();
  readonly skewMs: number;
  readonly #name: string;
  readonly #world: MarkWorld;
  marks: Marks | undefined;
  transport: Transport | undefined;

  constructor(name: string, skewMs: number, world: MarkWorld) {
    this.#name = name;
    this.skewMs = skewMs;
    this.#world = world;
  }

  get stored(): Mark[] {
    return [...this.durable.marks.values()].sort((a, b) => (markKey(a) < markKey(b) ? -1 : 1));
  }

  async start(): Promise<void> {
    this.marks?.stop();
    const { network, clock } = this.#world;
    const transport = network.transport(idOf(this.#name));
    this.transport = transport;
    this.marks = await openMarks({
      transport,
      directory: this.#directory(transport),
      store: new FakeStore(this.durable),
      clock: {
        now: () => clock.now() + this.skewMs,
        monotonic: () => clock.monotonic(),
        after: (ms, callback) => clock.after(ms, callback),
      },
      random: systemRandom,
      logger: silentLogger,
      name: this.#name,
    });
    for (const other of NAMES) transport.keep(idOf(other), []);
    await transport.start();
  }

  #directory(transport: Transport): PeerDirectory {
    const view = (name: string): PeerView => ({
      id: idOf(name),
      isSelf: name === this.#name,
      state: name === this.#name || transport.isConnected(idOf(name)) ? "alive" : "dead",
      addresses: [],
      isConnected: transport.isConnected(idOf(name)),
    });
    return {
      self: idOf(this.#name),
      peers: () => NAMES.map(view),
      get: () => undefined,
      subscribe: () => () => undefined,
    };
  }
}

class MarkWorld {
  readonly clock = new ManualClock();
  readonly network = createMemoryNetwork({ clock: this.clock });
  readonly peers: readonly MarkPeer[];
  readonly written: Mark[] = [];

  constructor(skews: readonly number[]) {
    this.peers = NAMES.map((name, at) => new MarkPeer(name, skews[at] ?? 0, this));
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async perform(action: Action): Promise<void> {
    const peer = this.peers[action.peer];
    const [a, b] = [idOf(NAMES[action.peer] ?? ""), idOf(NAMES[action.other] ?? "")];
    switch (action.k) {
      case "write": {
        const { key, value } = action;
        const change = { kind: "tag", on: "sweep/1", name: `t${key}`, user: "u" } as const;
        const marks = await peer?.marks?.write([
          value === undefined ? change : { ...change, value },
        ]);
        this.written.push(...(marks ?? []));
        return;
      }
      case "cut":
        if (a !== b) this.network.cut(a, b, { isSilent: action.key % 2 === 0 });
        return;
      case "heal":
        return this.network.heal(a, b);
      case "restart":
        return peer?.start();
      case "wait":
        this.clock.advance(action.key * 1_000);
    }
  }

  async heal(): Promise<void> {
    for (const a of NAMES) for (const b of NAMES) if (a !== b) this.network.heal(idOf(a), idOf(b));
    // Everybody has had a turn with everybody; questions that nobody answered have ended.
    // In steps that are shorter than a question may take: one that is asked in the middle of a step must not be over at its end.
    const steps = Math.ceil((3 * NAMES.length * COMPARE_INTERVAL_MS) / (ASK_MS_MAX / 2));
    for (let step = 0; step < steps; step++) {
      this.clock.advance(ASK_MS_MAX / 2);
      await this.settle();
    }
  }
}

interface Action {
  readonly k: "write" | "cut" | "heal" | "restart" | "wait";
  readonly peer: number;
  readonly other: number;
  readonly key: number;
  readonly value: string | undefined;
}

const position = fc.nat(NAMES.length - 1);
const action: fc.Arbitrary<Action> = fc.record({
  k: fc.constantFrom("write", "write", "write", "write", "cut", "heal", "restart", "wait"),
  peer: position,
  other: position,
  key: fc.nat(12),
  value: fc.constantFrom("", undefined),
});

test("whatever happened to peers and the network, all come to the latest writes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 60 }),
      fc.array(fc.integer({ min: -600_000, max: 600_000 }), { minLength: 4, maxLength: 4 }),
      async (actions, skews) => {
        const world = new MarkWorld(skews);
        for (const peer of world.peers) await peer.start();
        await world.settle();
        for (const each of actions) {
          await world.perform(each);
          await world.settle();
        }
        await world.heal();
        const expected = [...latestMarks(world.written).values()].sort((a, b) =>
          markKey(a) < markKey(b) ? -1 : 1,
        );
        for (const peer of world.peers) assert.deepEqual(peer.stored, expected);
        for (const peer of world.peers) peer.marks?.stop();
      },
    ),
    { numRuns: Number(process.env["MF_MARKS_RUNS"] ?? "60") },
  );
});

test("of any two different writes of a mark exactly one is the later", () => {
  const mark = fc.record(
    {
      kind: fc.constant("tag" as const),
      on: fc.constant("a/1"),
      name: fc.constant("t"),
      at: fc.nat(2),
      by: fc.constantFrom("ada", "bob"),
      value: fc.constantFrom("", "x"),
    },
    { requiredKeys: ["kind", "on", "name", "at", "by"] },
  );
  fc.assert(
    fc.property(mark, mark, (a, b) => {
      const isSame = a.at === b.at && a.by === b.by && a.value === b.value;
      assert.equal(Number(isLater(a, b)) + Number(isLater(b, a)), isSame ? 0 : 1);
    }),
  );
});
