import type { PeerId } from "../../src/model/peer.ts";
import { transportConformance } from "../../src/testing/conformance/transport.ts";
import { createMemoryNetwork } from "../support/memory-network.ts";

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
    async close() {
      await Promise.all([a.stop(), b.stop()]);
    },
  };
});
