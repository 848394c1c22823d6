/** Three peers with a catalog each, in one process: memory stores, engines with fake hosts, a memory network. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCatalog, type Catalog } from "../../daemon/catalog/catalog.ts";
import { liveRunsOf, type OwnerRef } from "../../daemon/catalog/live-runs.ts";
import type { RunHandle } from "../../src/engine/run-api.ts";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { runText, type Cid } from "../../src/model/ids.ts";
import type { PeerId, PeerState, PeerView } from "../../src/model/peer.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import { engineFixture, type EngineFixture } from "./engine-fixture.ts";
import type { FakeStep } from "./fake-hosts.ts";
import { Durable, FakeStore } from "./fake-store.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";

export interface CatalogPeer {
  readonly name: string;
  readonly id: PeerId;
  readonly store: FakeStore;
  readonly engine: EngineFixture;
  readonly catalog: Catalog;
  readonly directory: PeerDirectory;
  /** Runs that this peer says another owns. */
  readonly owners: Map<string, OwnerRef>;
  /** Runs that it goes on with under the id that they had elsewhere. */
  readonly takenOver: Map<string, RunHandle>;
  /** Runs that it has let go of. */
  readonly abandoned: Set<string>;
}

export interface CatalogMesh {
  readonly network: MemoryNetwork;
  peer(name: string): CatalogPeer;
  setState(name: string, state: PeerState): void;
  close(): void;
}

export const idOf = (name: string): PeerId => `12D3KooW${name.repeat(12)}` as PeerId;

/** `gate`: what every batch waits for before it runs, by peer. */
export async function catalogMesh(
  names: readonly string[],
  steps: Readonly<Record<string, FakeStep>>,
  gate: (peer: string) => Promise<void> = () => Promise.resolve(),
): Promise<CatalogMesh> {
  const root = mkdtempSync(join(tmpdir(), "mf-catalog-"));
  const network = createMemoryNetwork();
  const states = new Map<string, PeerState>(names.map((name) => [name, "alive"]));
  const peers = new Map<string, CatalogPeer>();
  const holders = async (ids: readonly Cid[]): Promise<ReadonlyMap<Cid, readonly PeerId[]>> =>
    new Map(
      ids.map((id) => [
        id,
        [...peers.values()]
          .filter((peer) => peer.store.durable.contents.has(id))
          .map((peer) => peer.id),
      ]),
    );
  for (const name of names) {
    const store = new FakeStore(new Durable(), { home: join(root, name) });
    const engine = engineFixture(steps, { store, deps: { peer: name } });
    const runBatch = engine.hosts.runBatch.bind(engine.hosts);
    engine.hosts.runBatch = async (batch, options) => {
      await gate(name);
      return runBatch(batch, options);
    };
    const transport = network.transport(idOf(name));
    const owners = new Map<string, OwnerRef>();
    const takenOver = new Map<string, RunHandle>();
    const abandoned = new Set<string>();
    const directory = directoryOf(name, names, states);
    const catalog = createCatalog({
      transport,
      directory,
      exchange: { holders },
      store,
      clock: systemClock,
      logger: silentLogger,
      selfName: name,
      live: liveRunsOf((run) => {
        const text = runText(run);
        const own = engine.running().find((handle) => runText(handle.run) === text);
        return abandoned.has(text) ? undefined : (takenOver.get(text) ?? own);
      }),
      ownerOf: (run) => owners.get(runText(run)),
    });
    await transport.start();
    for (const other of names) transport.keep(idOf(other), []);
    peers.set(name, {
      name,
      id: idOf(name),
      store,
      engine,
      catalog,
      directory,
      owners,
      takenOver,
      abandoned,
    });
  }
  return {
    network,
    peer(name) {
      const peer = peers.get(name);
      if (peer === undefined) throw new Error(`no peer ${name}`);
      return peer;
    },
    setState: (name, state) => void states.set(name, state),
    close() {
      for (const peer of peers.values()) peer.catalog.close();
      for (const name of names) network.kill(idOf(name));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function directoryOf(
  self: string,
  names: readonly string[],
  states: ReadonlyMap<string, PeerState>,
): PeerDirectory {
  const viewOf = (name: string): PeerView => ({
    id: idOf(name),
    isSelf: name === self,
    state: states.get(name) ?? "dead",
    addresses: [],
    profile: {
      name,
      version: "0.2.0",
      roles: ["submit"],
      labels: {},
      platform: "linux",
      abi: "115",
    },
    isConnected: true,
  });
  return {
    self: idOf(self),
    peers: () => names.map(viewOf),
    get: (id) => {
      const name = names.find((entry) => idOf(entry) === id);
      return name === undefined ? undefined : viewOf(name);
    },
    subscribe: () => () => undefined,
  };
}
