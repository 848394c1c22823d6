import assert from "node:assert/strict";
import { test } from "node:test";
import {
  LOAD_BYTES_BURST,
  LOAD_BYTES_PER_S_MAX,
} from "../../../../daemon/membership/membership-limits.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import {
  aboutProfile,
  peerKey,
  TALK,
  type Talk,
} from "../../../../src/wire/membership-protocol.ts";
import { claim, introduction, MeshFixture, peer, PROOF, SELF, talksOf } from "./mesh-fixture.ts";

function pings(talks: readonly Talk[]): Extract<Talk, { t: "ping" }>[] {
  return talks.filter((talk) => talk.t === "ping");
}

test("a peer that connects is pinged with a digest at once, kept and told", () => {
  const mesh = new MeshFixture();
  const id = peer("a");
  const effects = mesh.accept({
    t: "transport",
    event: { t: "connected", peer: id, addresses: ["/a"] },
  });
  assert.notEqual(pings(talksOf(effects))[0]?.d, undefined);
  assert.ok(effects.some((effect) => effect.t === "keep" && effect.peer === id));
  assert.deepEqual(mesh.told(), ["undefined alive"]);
  assert.equal(mesh.state(id), "alive");
});

test("silence makes a suspect, then a dead peer, which is still known and dialled", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.told();
  mesh.silence(4000);
  assert.equal(mesh.state(id), "suspect");
  mesh.silence(10_000);
  assert.deepEqual(mesh.told(), ["alive suspect", "suspect dead"]);
  assert.deepEqual(mesh.machine.known(), [{ peer: id, addresses: [`/of/${id}`] }]);
  mesh.silence(3_600_000);
  assert.equal(mesh.state(id), "dead");
});

test("an answer, also through a helper, ends the probe", () => {
  const mesh = new MeshFixture();
  const target = mesh.meet("a");
  const helper = mesh.meet("b");
  for (let i = 0; i < 30; i++) {
    mesh.effects.length = 0;
    mesh.silence(1000);
    for (const effect of mesh.effects.slice()) {
      if (effect.t !== "send") continue;
      const { to, talk } = effect;
      if (talk.t === "ping" && to === helper)
        mesh.hear(helper, { t: "ack", q: talk.q, i: [], w: [] });
      if (talk.t === "ask" && talk.k === peerKey(target))
        mesh.hear(helper, { t: "told", q: talk.q, ok: true });
    }
  }
  assert.equal(mesh.state(target), "alive");
  assert.equal(mesh.state(helper), "alive");
});

test("who was not asked cannot answer for another", () => {
  const mesh = new MeshFixture();
  const target = mesh.meet("a");
  for (let i = 0; i < 20; i++) {
    mesh.silence(500);
    for (let q = 0; q < 40; q++) mesh.hear(peer("liar"), { t: "told", q, ok: true });
  }
  assert.notEqual(mesh.state(target), "alive");
});

test("we ask for others: yes when it answers, no when it does not", () => {
  const mesh = new MeshFixture();
  const asker = mesh.meet("a");
  const target = mesh.meet("b");
  const [ping] = pings(mesh.hear(asker, { t: "ask", q: 77, k: peerKey(target) }));
  assert.deepEqual(mesh.hear(target, { t: "ack", q: ping?.q ?? 0, i: [], w: [] }), [
    { t: "told", q: 77, ok: true },
  ]);
  mesh.hear(asker, { t: "ask", q: 78, k: peerKey(target) });
  mesh.effects.length = 0;
  mesh.silence(900);
  assert.ok(talksOf(mesh.effects).some((talk) => talk.t === "told" && talk.q === 78 && !talk.ok));
  assert.deepEqual(mesh.hear(asker, { t: "ask", q: 79, k: "unknown" }), [
    { t: "told", q: 79, ok: false },
  ]);
});

test("an accusation of ourselves is refuted with a new incarnation, told at once", () => {
  const mesh = new MeshFixture(3);
  const other = mesh.meet("a");
  for (const state of ["suspect", "dead", "asleep", "left"] as const) {
    const counter = ["suspect", "dead", "asleep", "left"].indexOf(state);
    const talks = mesh.news(other, claim(SELF, state, { boot: 3, counter, proof: PROOF }));
    assert.deepEqual(talks, [
      { t: "news", i: [{ k: peerKey(SELF), b: 3, s: [counter + 1, 0, []] }] },
    ]);
  }
  assert.equal(mesh.machine.get(SELF)?.state, "alive");
});

test("a claim of a boot counter that we never had is overtaken, so that we can speak again", () => {
  const mesh = new MeshFixture(3);
  const other = mesh.meet("a");
  const [talk] = mesh.news(other, claim(SELF, "dead", { boot: 9, counter: 2 }));
  assert.deepEqual(talk, { t: "news", i: [{ k: peerKey(SELF), b: 9, s: [3, 0, []] }] });
  const [full] = mesh.news(other, claim(SELF, "alive", { boot: 9, counter: 2 ** 32 - 1 }));
  assert.deepEqual(full, { t: "news", i: [{ k: peerKey(SELF), b: 10, s: [0, 0, []] }] });
});

test("old claims change nothing, newer ones are passed on once", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  const id = peer("c");
  mesh.news(teller, introduction(id, { boot: 5 }));
  assert.equal(
    mesh.news(teller, claim(id, "suspect", { boot: 5, counter: 2, accusers: ["x"] })).length,
    1,
  );
  assert.equal(
    mesh.news(teller, claim(id, "suspect", { boot: 5, counter: 2, accusers: ["x"] })).length,
    0,
  );
  mesh.news(
    teller,
    claim(id, "dead", { boot: 5, counter: 1 }),
    claim(id, "dead", { boot: 4, counter: 9 }),
  );
  assert.equal(mesh.state(id), "suspect");
  mesh.news(teller, claim(id, "alive", { boot: 5, counter: 3 }));
  assert.equal(mesh.state(id), "alive");
});

test("accusers shorten the wait", () => {
  const patient = new MeshFixture();
  const hasty = new MeshFixture();
  const states = [patient, hasty].map((mesh) => {
    const [id = SELF] = ["a", "b", "c", "d", "e"].map((name) => mesh.meet(name));
    const accusers = mesh === hasty ? ["w", "x", "y", "z"] : ["w"];
    mesh.news(peer("b"), claim(id, "suspect", { accusers }));
    mesh.now += 6000;
    mesh.accept({ t: "woken" });
    return mesh.state(id);
  });
  assert.deepEqual(states, ["suspect", "dead"]);
});

test("a broken connection and a refused redial prove that the process is gone", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.told();
  mesh.disconnect(id);
  mesh.dialFails(id, "refused");
  assert.deepEqual(mesh.told(), ["gone", "alive dead"]);
});

test("neither an orderly end nor a dial that times out nor a late refusal proves it", () => {
  const mesh = new MeshFixture();
  const [a, b, c] = ["a", "b", "c"].map((name) => mesh.meet(name)) as [PeerId, PeerId, PeerId];
  mesh.told();
  mesh.disconnect(a, "closed");
  mesh.dialFails(a, "refused");
  mesh.disconnect(b);
  mesh.dialFails(b, "timeout");
  mesh.disconnect(c);
  mesh.now += 20_000;
  mesh.dialFails(c, "refused");
  assert.deepEqual(mesh.told(), []);
});

test("a restart that was announced loses nothing within its grace, and is told when it is back", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a", 4);
  mesh.told();
  mesh.hear(id, { t: "bye", why: "restart", i: [claim(id, "alive", { boot: 4 })] });
  mesh.disconnect(id);
  mesh.dialFails(id, "refused");
  mesh.silence(20_000);
  assert.deepEqual(mesh.told(), ["alive suspect"]);
  mesh.meet("a", 5);
  assert.deepEqual(mesh.told(), ["restarted", "suspect alive"]);
});

test("a restart that does not come back is gone after its grace", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a", 4);
  mesh.told();
  mesh.hear(id, { t: "bye", why: "restart", i: [] });
  mesh.disconnect(id);
  mesh.silence(31_000);
  assert.deepEqual(mesh.told(), ["alive suspect", "gone", "suspect dead"]);
});

test("nobody is left by another's word: only with the proof that it published the hash of", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  const id = mesh.meet("b");
  mesh.news(teller, claim(id, "left", { counter: 1 }));
  mesh.news(teller, claim(id, "left", { counter: 1, proof: new Uint8Array(16) }));
  assert.equal(mesh.state(id), "alive");
  mesh.news(teller, claim(id, "left", { counter: 1, proof: PROOF }));
  assert.equal(mesh.state(id), "left");
  assert.ok(mesh.effects.some((effect) => effect.t === "drop" && effect.peer === id));
  assert.ok(!mesh.machine.known().some(({ peer }) => peer === id));
});

test("who left is forgotten after thirty days, and comes back with the next boot counter", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("b", 2);
  mesh.news(id, claim(id, "left", { boot: 2, counter: 1, proof: PROOF }));
  mesh.now += 29 * 24 * 3_600_000;
  mesh.tick();
  assert.equal(mesh.state(id), "left");
  mesh.news(id, introduction(id, { boot: 3 }));
  assert.equal(mesh.state(id), "alive");
  mesh.news(id, claim(id, "left", { boot: 3, counter: 1, proof: PROOF }));
  mesh.now += 31 * 24 * 3_600_000;
  mesh.tick();
  assert.equal(mesh.state(id), undefined);
});

test("our own goodbye carries its proof, and what others say after it is not refuted", () => {
  const mesh = new MeshFixture(3);
  const other = mesh.meet("a");
  const bye = talksOf(mesh.accept({ t: "leaving", why: "leave" })).find((talk) => talk.t === "bye");
  assert.deepEqual(bye?.i[0]?.p, PROOF);
  assert.deepEqual(bye?.i[0]?.s, [1, 4, []]);
  assert.deepEqual(mesh.news(other, claim(SELF, "dead", { boot: 3, counter: 5 })), []);
});

test("an asleep peer is not probed, not suspected, and back with its next incarnation", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.hear(id, { t: "bye", why: "sleep", i: [claim(id, "asleep", { counter: 1 })] });
  mesh.disconnect(id);
  mesh.silence(60_000);
  assert.equal(mesh.state(id), "asleep");
  mesh.news(id, claim(id, "alive", { counter: 2 }));
  assert.equal(mesh.state(id), "alive");
});

test("another's word of death waits where we hear the peer ourselves", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  const id = mesh.meet("b");
  mesh.news(teller, claim(id, "dead"));
  assert.equal(mesh.state(id), "suspect");
  mesh.now += 3000;
  mesh.news(teller, claim(id, "dead"));
  assert.equal(mesh.state(id), "dead");
});

test("whom we accuse learns it from our answer to its ping", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.silence(20_000);
  assert.equal(mesh.state(id), "dead");
  const talks = mesh.hear(id, { t: "ping", q: 5, i: [] });
  const ack = talks.find((talk) => talk.t === "ack");
  assert.deepEqual(ack?.i, [claim(id, "dead")]);
});

test("a machine that ran late gives others the time it missed", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.tick();
  mesh.tick(8000);
  assert.equal(mesh.state(id), "alive");
});

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

test("a revoked peer is dropped and not believed in again", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  const id = mesh.meet("b");
  mesh.told();
  mesh.accept({ t: "revoked", peer: id });
  assert.ok(mesh.effects.some((effect) => effect.t === "drop" && effect.peer === id));
  assert.deepEqual(mesh.told(), ["gone"]);
  mesh.news(teller, introduction(id));
  assert.equal(mesh.state(id), undefined);
  assert.deepEqual(mesh.hear(id, { t: "ping", q: 1, i: [] }), []);
});

test("hints of strangers are dialled, few of them, and shown to nobody", () => {
  const mesh = new MeshFixture();
  for (let i = 0; i < 200; i++)
    mesh.accept({
      t: "transport",
      event: { t: "discovered", peer: peer(`hint${i}`), addresses: [`/${i}`] },
    });
  assert.equal(mesh.machine.peers().length, 1);
  const drops = mesh.effects.filter((effect) => effect.t === "drop");
  assert.equal(drops.length, 200 - 64);
});

test("a member can introduce a thousand peers, and no more", () => {
  const mesh = new MeshFixture();
  const teller = mesh.meet("a");
  for (let i = 0; i < 1300; i++) mesh.news(teller, introduction(peer(`p${i}`)));
  assert.equal(mesh.machine.peers().length, 1024);
});

test("a seed that never answers is dead after its grace, and alive once it does", () => {
  const seed = peer("seed");
  const mesh = new MeshFixture(1, [seed]);
  assert.equal(mesh.state(seed), "suspect");
  mesh.silence(11_000);
  assert.equal(mesh.state(seed), "dead");
  mesh.meet("seed", 1);
  assert.equal(mesh.state(seed), "alive");
});

test("a drain closes a peer to new work at once", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  mesh.hear(id, { t: "bye", why: "drain", i: [] });
  assert.equal(mesh.machine.get(id)?.load?.isAccepting, false);
  assert.equal(mesh.state(id), "alive");
});

test("the round trip is an average", () => {
  const mesh = new MeshFixture();
  const id = mesh.meet("a");
  const connected = mesh.accept({
    t: "transport",
    event: { t: "connected", peer: id, addresses: [] },
  });
  const [ping] = pings(talksOf(connected));
  mesh.now += 40;
  mesh.hear(id, { t: "ack", q: ping?.q ?? 0, i: [], w: [] });
  assert.equal(mesh.machine.get(id)?.latencyMs, 40);
});

test("who said that it goes to sleep and stays awake says so after some seconds", () => {
  const mesh = new MeshFixture(3);
  mesh.meet("a");
  mesh.accept({ t: "leaving", why: "sleep" });
  assert.equal(mesh.machine.get(SELF)?.state, "asleep");
  const talks = Array.from({ length: 5 }, () => talksOf(mesh.tick())).flat();
  assert.equal(mesh.machine.get(SELF)?.state, "alive");
  assert.ok(
    talks.some((talk) => talk.t === "news" && talk.i[0]?.s?.[0] === 2 && talk.i[0].s[1] === 0),
  );
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
