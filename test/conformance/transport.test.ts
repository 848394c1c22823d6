import type { PeerId } from "../../src/model/peer.ts";
import { transportConformance } from "../../src/testing/conformance/transport.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { startPeer, stopAll } from "../support/libp2p-peers.ts";
import { createMemoryNetwork } from "../support/memory-network.ts";
import { portOf, startRelay } from "../support/tcp-relay.ts";

transportConformance("memory", async () => {
  const network = createMemoryNetwork();
  const a = network.transport("peer-a" as PeerId);
  const b = network.transport("peer-b" as PeerId);
  await Promise.all([a.start(), b.start()]);
  return {
    a,
    b,
    breakConnection() {
      network.cut(a.self, b.self);
      network.heal(a.self, b.self);
    },
    close: () => stopAll([a, b]),
  };
});

transportConformance("libp2p", async () => {
  const [a, b] = await Promise.all([startPeer(1), startPeer(2)]);
  const relay = await startRelay(portOf(b.listenAddresses()[0]));
  return {
    a,
    b: at(b, `/ip4/127.0.0.1/tcp/${relay.port}`),
    breakConnection: () => relay.breakAll(),
    async close() {
      await stopAll([a, b]);
      await relay.close();
    },
  };
});

/** The same transport, but others are told to dial it at `address`. */
function at(transport: Transport, address: string): Transport {
  return new Proxy(transport, {
    get(target, key) {
      if (key === "addresses") return () => [address];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
