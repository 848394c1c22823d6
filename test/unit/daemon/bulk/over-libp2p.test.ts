import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createBulk } from "../../../../daemon/bulk/bulk.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import { openStore } from "../../../../src/store/open-store.ts";
import { connected } from "../../../../src/testing/conformance/transport.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import { startPeer, stopAll } from "../../../support/libp2p-peers.ts";
import { TestDirectory } from "./bulk-fixture.ts";

const env = { clock: systemClock, random: systemRandom, logger: silentLogger };

test("over a real network, on all interfaces, content goes there and its copies come back", async () => {
  const dir = mkdtempSync(join(tmpdir(), "mf-bulk-libp2p-"));
  const transports = await Promise.all(
    [11, 12].map((number) => startPeer(number, { listen: ["0.0.0.0:0"] })),
  );
  const views = new Map<PeerId, PeerView>();
  for (const { self } of transports) views.set(self, viewOf(self));
  const peers = await Promise.all(
    transports.map((transport, i) => open(transport, views, join(dir, `${i}`))),
  );
  const [a, b] = peers;
  assert.ok(a !== undefined && b !== undefined);
  try {
    const close = (): Promise<void> => stopAll(transports);
    await connected({ a: a.transport, b: b.transport, breakConnection: () => undefined, close });
    const sizes = [500, 200_000, 12_000_000];
    const ids = [];
    for (const size of sizes) ids.push((await a.store.putBytes(randomBytes(size), "raw")).id);
    await b.bulk.bring(ids, { hints: [a.transport.self] });
    for (const id of ids) {
      assert.ok(Buffer.from(await b.store.read(id)).equals(await a.store.read(id)));
    }
    const { id } = await b.store.putBytes(randomBytes(5_000_000), "raw");
    b.bulk.spread([id], 2);
    while (b.bulk.stats().copied === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await a.store.has([id]), [true]);
  } finally {
    for (const { bulk } of peers) await bulk.stop();
    await stopAll(transports);
    for (const { store } of peers) await store.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

async function open(transport: Transport, views: Map<PeerId, PeerView>, home: string) {
  const store = await openStore(home, env);
  const directory = new TestDirectory(transport.self, views);
  const bulk = createBulk({ ...env, transport, directory, store, home, host: "0.0.0.0" });
  bulk.start();
  return { transport, store, bulk };
}

function viewOf(id: PeerId): PeerView {
  return {
    id,
    isSelf: false,
    state: "alive",
    addresses: [],
    profile: {
      name: id.slice(-4),
      version: "0",
      roles: ["store"],
      labels: {},
      platform: "linux",
      abi: "115",
    },
    isConnected: true,
  };
}
