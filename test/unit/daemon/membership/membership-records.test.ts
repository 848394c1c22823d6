import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LOAD_BYTES_BURST,
  LOAD_BYTES_PER_S_MAX,
} from "../../../../daemon/membership/membership-limits.ts";
import { aboutProfile, TALK, type Talk } from "../../../../src/wire/membership-protocol.ts";
import { claim, introduction, MeshFixture, peer, talksOf } from "./mesh-fixture.ts";

test("load is told on change beyond its neighbourhood, and at least every fifteen seconds", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  const tellsLoad = (): boolean =>
    talksOf(mesh.tick()).some(
      (talk) => talk.t === "ping" && talk.i.some(({ l }) => l !== undefined),
    );
  const answered = (): boolean => {
    const isTold = tellsLoad();
    mesh.hear(id, { t: "news", i: [] });
    return isTold;
  };
  assert.equal(answered(), true);
  assert.equal(answered(), false);
  mesh.load = { ...mesh.load, cpuBusy: 0.15 };
  assert.equal(answered(), false);
  mesh.load = { ...mesh.load, slots: { total: 8, busy: 1 } };
  assert.equal(answered(), true);
  const told = Array.from({ length: 30 }, answered);
  assert.equal(told.filter(Boolean).length, 2);
});

test("a record is replaced by a newer version only", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.news(id, introduction(id, { version: 5, load: 0.5, name: "five" }));
  mesh.news(id, introduction(id, { version: 4, load: 0.4, name: "four" }));
  assert.equal(mesh.machine.get(id)?.load?.cpuBusy, 0.5);
  assert.equal(mesh.machine.get(id)?.profile?.name, "five");
  mesh.news(id, introduction(id, { boot: 2, version: 1, load: 0.2, name: "two" }));
  assert.equal(mesh.machine.get(id)?.load?.cpuBusy, 0.2);
  assert.equal(mesh.machine.get(id)?.profile?.name, "two");
});

test("records are sent within the budget of bytes, whoever asks how often", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  const asker = mesh.meet("b");
  for (let i = 0; i < 900; i++) mesh.news(teller, introduction(peer(`p${i}`)));
  const introduced = new Set<string>();
  let bytes = 0;
  for (let second = 0; second < 20; second++) {
    mesh.now += 1000;
    for (let i = 0; i < 10; i++)
      for (const talk of mesh.hear(asker, { t: "ping", q: 1, d: Uint8Array.of(0, 0), i: [] })) {
        const encoded = TALK.message.encode(talk);
        assert.ok(encoded.length <= TALK.message.bytesMax);
        if (talk.t === "ack") for (const { k, a } of talk.i) if (a !== undefined) introduced.add(k);
        bytes += encoded.length;
      }
  }
  assert.ok(bytes < LOAD_BYTES_BURST + 20 * LOAD_BYTES_PER_S_MAX, `${bytes} bytes`);
  assert.ok(introduced.size > 800, `${introduced.size} peers`);
});

test("a storm of changes is told in messages that everybody accepts", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  for (let i = 0; i < 1000; i++) mesh.news(teller, introduction(peer(`p${i}`)));
  const accusers = ["12345678", "23456789", "34567890", "45678901"];
  const claims = Array.from({ length: 1000 }, (_, i) =>
    claim(peer(`p${i}`), "suspect", { accusers }),
  );
  const talks = mesh.news(teller, ...claims);
  assert.ok(talks.length > 0);
  for (const talk of talks) TALK.message.decode(TALK.message.encode(talk));
});

test("a profile beyond the bounds of the message is cut, not refused by all others", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`label${i}`, "x".repeat(500)]),
  );
  const profile = {
    name: "n".repeat(99),
    version: "1",
    roles: [],
    platform: "p",
    abi: "1",
    labels,
  };
  const about = aboutProfile(profile);
  assert.deepEqual([about.name.length, Object.keys(about.labels).length], [64, 16]);
  const item = introduction(peer("a"));
  assert.ok(item.a !== undefined);
  const talk: Talk = { t: "news", i: [{ ...item, a: { ...item.a, ...about } }] };
  TALK.message.decode(TALK.message.encode(talk));
});
