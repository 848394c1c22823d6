import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerId } from "../../src/model/peer.ts";
import { GRANT, HAND_IN, PROBE, type Grant } from "../../src/wire/placement-protocol.ts";
import { OUTCOME } from "../../src/wire/placement-values.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { ended, peerOf, started, threePeers, TOTAL, wideFlow } from "../support/simulated-mesh.ts";

const PLENTY = { slots: 2, queue: 2, cores: 2, memBytes: 8e9, gpus: 0 };

/** Takes every batch that is offered to it. */
function takesAll(liar: Transport, then: (grant: Grant, owner: PeerId) => void): void {
  liar.handle(PROBE, async (_, { inputs }) => ({
    isAccepting: true,
    room: PLENTY,
    queueMs: 0,
    held: inputs.map(() => false),
  }));
  liar.handle(GRANT, async (from, { grants }) => {
    for (const grant of grants) then(grant, from);
    return { answers: grants.map(() => "accepted" as const), room: PLENTY };
  });
}

test("a peer that accepts and never answers costs a lease's time, not the run", async () => {
  const { world, mesh } = await threePeers(15);
  const liar = await mesh.addLiar("liar");
  let taken = 0;
  takesAll(liar, () => {
    taken++;
  });
  const handle = await started(world, peerOf(mesh, "a").start(wideFlow()));
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.ok(taken > 0, "it was asked");
  assert.deepEqual(await mesh.answer(peerOf(mesh, "a"), handle.run, "sum"), [TOTAL]);
  mesh.close();
});

test("a peer that answers nonsense is left alone, and its work is done by others", async () => {
  const { world, mesh } = await threePeers(16);
  const liar = await mesh.addLiar("liar");
  const refusals: string[] = [];
  takesAll(liar, ({ lease, run }, owner) => {
    const good = { position: 0, result: "succeeded", wallMs: 1, cpuMs: 1, rssBytesMax: 1 } as const;
    const wrong = OUTCOME.encode({ ...good, position: 500, outputs: {} });
    const outcomes = refusals.length % 2 === 0 ? [wrong] : [new Uint8Array([0xc1])];
    const message = { lease, run, outcomes, isLast: true, isUnfit: false, room: PLENTY };
    liar.request(owner, HAND_IN, message, { timeoutMs: 1_000 }).then(
      () => refusals.push("taken"),
      (error: { code: string }) => refusals.push(error.code),
    );
  });
  const handle = await started(world, peerOf(mesh, "a").start(wideFlow()));
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(peerOf(mesh, "a"), handle.run, "sum"), [TOTAL]);
  assert.deepEqual(new Set(refusals), new Set(["MESSAGE_MALFORMED"]));
  mesh.close();
});

test("a storm that kills every other daemon in turn does not end the run", async () => {
  const { world, mesh } = await threePeers(17);
  const handle = await started(world, peerOf(mesh, "a").start(wideFlow()));
  let kills = 0;
  const storm = async (): Promise<void> => {
    while (kills < 12 && handle.progress().state === "running") {
      const name = kills++ % 2 === 0 ? "b" : "c";
      await new Promise<void>((resolve) => world.clock.after(250, resolve));
      mesh.kill(name);
      await mesh.add(name, { taskMs: 50 });
    }
  };
  void storm();
  const result = await ended(world, handle);
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  assert.deepEqual(await mesh.answer(peerOf(mesh, "a"), handle.run, "sum"), [TOTAL]);
  assert.ok(kills > 5);
  mesh.close();
});
