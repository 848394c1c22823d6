import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeDigest, encodeDigest, WHOLE } from "../../daemon/membership/digest.ts";
import { newRecord } from "../../daemon/membership/peer-record.ts";
import { isMfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  COUNT_MAX,
  loadFromTuple,
  peerKey,
  STATES_BY_RANK,
  TALK,
  type Talk,
} from "../../src/wire/membership-protocol.ts";
import {
  claim,
  introduction,
  MeshFixture,
  peer,
  PROOF,
  SELF,
} from "../unit/daemon/membership/mesh-fixture.ts";

const counts = fc.oneof(fc.nat(5), fc.integer({ min: 0, max: COUNT_MAX }));
const names = fc.constantFrom("a", "b", "c", "d");
const ids = fc.oneof(names.map(peer), fc.constant(SELF));
const items = fc.oneof(
  fc
    .tuple(ids, fc.constantFrom(...STATES_BY_RANK), counts, counts, fc.boolean())
    .map(([id, state, boot, counter, isProven]) =>
      claim(id, state, { boot, counter, accusers: ["x"], proof: isProven ? PROOF : undefined }),
    ),
  fc
    .tuple(ids, counts, counts, fc.double())
    .map(([id, boot, version, load]) => introduction(id, { boot, version, load })),
);
const talks: fc.Arbitrary<Talk> = fc.oneof(
  fc.record({ t: fc.constant("news" as const), i: fc.array(items, { maxLength: 4 }) }),
  fc.record({
    t: fc.constant("ping" as const),
    q: counts,
    d: fc.uint8Array(),
    i: fc.array(items, { maxLength: 2 }),
  }),
  fc.record({
    t: fc.constant("ack" as const),
    q: counts,
    i: fc.array(items, { maxLength: 2 }),
    w: fc.array(fc.tuple(ids.map(peerKey), fc.nat(7)), { maxLength: 4 }),
  }),
  fc.record({ t: fc.constant("ask" as const), q: counts, k: ids.map(peerKey) }),
  fc.record({ t: fc.constant("told" as const), q: counts, ok: fc.boolean() }),
  fc.record({
    t: fc.constant("bye" as const),
    why: fc.constantFrom("leave" as const, "sleep" as const, "restart" as const, "drain" as const),
    i: fc.array(items, { maxLength: 2 }),
  }),
);

test("claims about a peer end in the same verdict in any order", () => {
  const claims = fc.array(
    fc.record({
      state: fc.constantFrom(
        "alive" as const,
        "suspect" as const,
        "dead" as const,
        "asleep" as const,
      ),
      boot: fc.integer({ min: 1, max: 3 }),
      counter: fc.nat(3),
    }),
    { minLength: 1, maxLength: 8 },
  );
  fc.assert(
    fc.property(claims, claims, fc.nat(), (some, more, turn) => {
      const all = [...some, ...more];
      const verdicts = [
        all,
        [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)].reverse(),
      ].map((order) => {
        const mesh = new MeshFixture();
        const teller = mesh.meet("teller");
        mesh.news(teller, introduction(peer("a")));
        for (const { state, ...incarnation } of order)
          mesh.news(teller, claim(peer("a"), state, incarnation));
        return mesh.state(peer("a"));
      });
      assert.equal(verdicts[0], verdicts[1]);
    }),
  );
});

test("whatever members say, nothing throws, we stay alive to ourselves, and say so above every claim", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, talks, fc.nat(3000)), { maxLength: 40 }), (said) => {
      const mesh = new MeshFixture();
      for (const name of ["a", "b", "c"]) mesh.meet(name);
      for (const [name, talk, ms] of said) {
        mesh.hear(peer(name), talk);
        mesh.silence(ms);
        assert.equal(mesh.machine.get(SELF)?.state, "alive");
      }
      assert.ok(mesh.machine.peers().length <= 6);
    }),
    { numRuns: 60 },
  );
});

test("a digest comes back as it was, and other bytes are no digest or a bounded one", () => {
  const record = fc.record({ boot: counts, counter: counts, loadVersion: counts, name: names });
  fc.assert(
    fc.property(
      fc.uniqueArray(record, { maxLength: 4, selector: ({ name }) => name }),
      (records) => {
        const made = records.map(({ name, boot, counter, loadVersion }) =>
          Object.assign(newRecord(peer(name), []), {
            isMember: true,
            boot: Math.max(1, boot),
            loadBoot: Math.max(1, boot),
            counter,
            loadVersion,
          }),
        );
        const digest = decodeDigest(encodeDigest(made, WHOLE));
        assert.deepEqual(
          [...(digest?.entries.values() ?? [])].map(({ key, boot, counter, load }) => [
            key,
            boot,
            counter,
            load,
          ]),
          made.map((each) => [each.key, each.boot, each.counter, each.loadVersion]),
        );
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const digest = decodeDigest(bytes);
      assert.ok((digest?.entries.size ?? 0) <= bytes.length / 6);
    }),
  );
});

test("what we say decodes to itself, and bytes of a stranger are a message or MESSAGE_MALFORMED", () => {
  fc.assert(
    fc.property(talks, (talk) => {
      try {
        const again = TALK.message.decode(TALK.message.encode(talk));
        assert.equal(again.t, talk.t);
      } catch (error) {
        // A load that is no number at all.
        assert.ok(isMfError(error, "MESSAGE_MALFORMED") && JSON.stringify(talk).includes("null"));
      }
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        TALK.message.decode(bytes);
      } catch (error) {
        assert.ok(isMfError(error, "MESSAGE_MALFORMED"));
      }
    }),
  );
});

test("a hostile load is clamped into what a machine can be", () => {
  const wild = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
  fc.assert(
    fc.property(fc.array(wild, { minLength: 9, maxLength: 9 }), (values) => {
      const [a, b, c, d, e, f, g, h, i] = values;
      const load = [a, b, c, d, e, 1, f, g, h, i, true, []];
      const news = { t: "news", i: [{ k: "a", b: 1, l: [1, load] }] } as unknown as Talk;
      const decoded = TALK.message.decode(TALK.message.encode(news));
      assert.ok(decoded.t === "news");
      const tuple = decoded.i[0]?.l?.[1];
      assert.ok(tuple !== undefined);
      const { cpuBusy, memBytes, memFreeBytes, slots, queue, loopDelayMs } = loadFromTuple(tuple);
      assert.ok(cpuBusy >= 0 && cpuBusy <= 1);
      assert.ok(memFreeBytes >= 0 && memFreeBytes <= memBytes);
      assert.ok(slots.busy >= 0 && slots.busy <= slots.total);
      assert.ok(queue >= 0 && loopDelayMs >= 0);
    }),
  );
});

test("peers with one key are told apart by their ids: the second is not believed in", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  const twin = `12D3KooXX${peerKey(id)}` as PeerId;
  mesh.news(id, { ...introduction(twin, { name: "twin" }), k: peerKey(id) });
  assert.equal(mesh.machine.get(twin), undefined);
  assert.equal(mesh.machine.get(id)?.profile?.name, "other");
});

test("every peer belongs to one part of a digest that is sent in parts", () => {
  const bits = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(
      bits,
      fc.uniqueArray(fc.stringMatching(/^[a-zA-Z0-9]{8}$/), { maxLength: 40 }),
      (bits, keys) => {
        const records = keys.map((key) =>
          Object.assign(newRecord(key as PeerId, []), { isMember: true, boot: 1 }),
        );
        const parts = Array.from({ length: 1 << bits }, (_, part) =>
          decodeDigest(encodeDigest(records, { bits, part })),
        );
        const found = parts.flatMap((part) => [...(part?.entries.keys() ?? [])]);
        assert.deepEqual(found.toSorted(), keys.toSorted());
      },
    ),
  );
});
