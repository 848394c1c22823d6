import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { BATCHES_PER_SLOT } from "../../../daemon/placement/placement-limits.ts";
import { WorkerMachine, type WorkerNeed } from "../../../daemon/placement/worker-machine.ts";
import { decodeGrant, decodeOutcomes } from "../../../daemon/placement/grant-codec.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { PeerId } from "../../../src/model/peer.ts";
import { GRANT, HAND_IN, RENEW } from "../../../src/wire/placement-protocol.ts";

const SLOTS = 3;
const capacity = { cores: 3, memBytes: 10, gpus: 2 };

const need: fc.Arbitrary<WorkerNeed> = fc.record({
  demand: fc.record({
    cores: fc.constantFrom(0.5, 1, 2),
    memBytes: fc.constantFrom(0, 3, 8),
    gpus: fc.constantFrom(0, 0, 1),
  }),
  isExclusive: fc.boolean(),
  expectedMs: fc.constantFrom(10, 100_000),
});
const owner = fc.constantFrom("a", "b", "c") as fc.Arbitrary<PeerId>;
const move = fc.oneof(
  fc.record({ t: fc.constant("offer" as const), owner, need }),
  fc.record({ t: fc.constant("grant" as const), owner, need }),
  fc.record({ t: fc.constant("ready" as const), which: fc.nat(20) }),
  fc.record({ t: fc.constant("ended" as const), which: fc.nat(20) }),
  fc.record({ t: fc.constant("nothing" as const), owner }),
  fc.record({ t: fc.constant("later" as const), ms: fc.nat(3_000) }),
);

test("whatever is asked of a worker, what runs there never exceeds what it has", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const worker = new WorkerMachine({ slots: SLOTS, capacity });
      worker.observe({ memFreeBytes: 10, gpus: ["0", "1"] });
      let now = 0;
      let count = 0;
      for (const one of moves) {
        const at = "which" in one ? [...worker.leases()][one.which]?.id : undefined;
        if (one.t === "offer") worker.offer(one.owner, one.need, true, now);
        else if (one.t === "grant") worker.grant(one.owner, `l-${count++}`, one.need, now);
        else if (one.t === "later") worker.accept({ t: "tick" }, (now += one.ms));
        else if (one.t === "nothing") worker.accept({ t: "nothing", owner: one.owner }, now);
        else if (at !== undefined) worker.accept({ t: one.t, lease: at }, now);
        const leases = [...worker.leases()];
        const running = leases.filter(({ phase }) => phase === "running");
        const sum = (of: (need: WorkerNeed) => number): number =>
          running.reduce((total, lease) => total + of(lease), 0);
        assert.ok(sum(({ demand }) => demand.cores) <= capacity.cores);
        assert.ok(sum(({ demand }) => demand.memBytes) <= capacity.memBytes);
        const devices = running.flatMap(({ gpus }) => gpus);
        assert.equal(new Set(devices).size, devices.length, "a device to one lease");
        assert.ok(running.filter(({ isExclusive }) => !isExclusive).length <= SLOTS);
        const shared = leases.filter(({ isExclusive }) => !isExclusive);
        assert.ok(shared.length <= BATCHES_PER_SLOT * SLOTS);
      }
      for (const { id } of Array.from(worker.leases()))
        worker.accept({ t: "ready", lease: id }, now);
      for (let left = worker.count; left > 0; left--) {
        const running = [...worker.leases()].find(({ phase }) => phase === "running");
        assert.ok(running !== undefined, "something always runs while anything is ready");
        worker.accept({ t: "ended", lease: running.id }, now);
      }
    }),
    { numRuns: 300 },
  );
});

test("bytes from a peer are refused as malformed or understood, never anything else", () => {
  const isRefused = (decode: () => unknown): void => {
    try {
      decode();
    } catch (error) {
      assert.ok(isMfError(error, "MESSAGE_MALFORMED"), String(error));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      isRefused(() => GRANT.query.decode(data));
      isRefused(() => HAND_IN.query.decode(data));
      isRefused(() => RENEW.message.decode(data));
      isRefused(() =>
        decodeOutcomes([data], 3, { peer: "x" as PeerId, name: "x", mustSign: false }),
      );
      isRefused(() =>
        decodeGrant({ attempts: [data], contents: [] } as unknown as Parameters<
          typeof decodeGrant
        >[0]),
      );
    }),
    { numRuns: 500 },
  );
});
