import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import type { PeerId } from "../../../../src/model/peer.ts";
import { message } from "../../../../src/wire/message.ts";
import type { NoticeType, TransportEvent } from "../../../../src/wire/transport.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createMemoryNetwork } from "../../../support/memory-network.ts";

const tell: NoticeType<{ n: number }> = {
  name: "/mf/test/1/tell",
  message: message(v.object({ n: v.number() })),
};

test("a delay is a delay, and order stays while it changes", async () => {
  const { network, clock, a, b, heard } = await fixture();
  network.delay(100);
  a.send(b.self, tell, { n: 1 });
  network.delay(10);
  a.send(b.self, tell, { n: 2 });
  clock.advance(99);
  assert.deepEqual(heard, []);
  clock.advance(1);
  assert.deepEqual(heard, [1, 2]);
});

test("a silent cut loses messages and nobody notices", async () => {
  const { network, a, b, heard, events } = await fixture();
  network.cut(a.self, b.self, { isSilent: true });
  a.send(b.self, tell, { n: 1 });
  await settled();
  network.heal(a.self, b.self);
  a.send(b.self, tell, { n: 2 });
  await settled();
  assert.deepEqual(heard, [2]);
  assert.deepEqual(events, []);
});

test("a cut is a reset, dials time out until it heals", async () => {
  const { network, clock, a, b, events } = await fixture();
  network.cut(a.self, b.self);
  await settled();
  clock.advance(5_000);
  await settled();
  assert.deepEqual(events.slice(0, 2), ["disconnected reset", "dial-failed timeout"]);
  network.heal(a.self, b.self);
  clock.advance(60_000);
  await settled();
  assert.ok(a.isConnected(b.self));
});

test("a killed peer is a reset, then refused; a fresh transport of it is found again", async () => {
  const { network, clock, a, b, events } = await fixture();
  network.kill(b.self);
  await settled();
  assert.deepEqual(events.slice(0, 2), ["disconnected reset", "dial-failed refused"]);
  const again = network.transport(b.self);
  await again.start();
  clock.advance(60_000);
  await settled();
  assert.ok(a.isConnected(b.self) && again.isConnected(a.self));
});

async function fixture() {
  const clock = new ManualClock();
  const network = createMemoryNetwork({ clock });
  const a = network.transport("peer-a" as PeerId);
  const b = network.transport("peer-b" as PeerId);
  const heard: number[] = [];
  const events: string[] = [];
  b.listen(tell, (_, { n }) => heard.push(n));
  await Promise.all([a.start(), b.start()]);
  a.keep(b.self, b.addresses());
  await settled();
  assert.ok(a.isConnected(b.self));
  a.subscribe((event) => events.push(text(event)));
  return { network, clock, a, b, heard, events };
}

function text(event: TransportEvent): string {
  return "why" in event ? `${event.t} ${event.why}` : event.t;
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
