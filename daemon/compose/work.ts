/** What runs here and for others: the engine over the mesh's hosts, the runs this peer owns or keeps, and what is known of all. */
import { createEngine } from "../../src/engine/engine.ts";
import { createHostPool } from "../../src/engine/hosts/host-pool.ts";
import { machineCapacity } from "../../src/engine/machine-capacity.ts";
import type { Capacity } from "../../src/engine/scheduler/admission.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { Store } from "../../src/store/ports.ts";
import type { FactSigner } from "../../src/trust/fact-page.ts";
import { createCatalog, type Catalog } from "../catalog/catalog.ts";
import { liveRunsOf } from "../catalog/live-runs.ts";
import { createCollection, type Collection } from "../collection/collection-service.ts";
import type { DaemonOptions } from "../config/daemon-options.ts";
import type { MachineSample } from "../machine/machine.ts";
import { openMarks, type Marks } from "../marks/marks-service.ts";
import type { DaemonBase } from "./daemon-base.ts";
import { createOwnership, type Ownership } from "../ownership/ownership-service.ts";
import { createMeshHosts, type MeshHosts } from "../placement/mesh-hosts.ts";
import type { KnownFacts } from "../sharing/known-facts.ts";
import { MeshSharing } from "../sharing/mesh-sharing.ts";
import type { Network } from "./network.ts";
import { spreadingStore } from "./spreading-store.ts";

export interface Work {
  readonly hosts: MeshHosts;
  readonly ownership: Ownership;
  readonly catalog: Catalog;
  readonly marks: Marks;
  readonly collection: Collection;
  readonly isRefusing: () => boolean;
  /** Nothing new starts here from now on. */
  refuseMore(): void;
  /** Gives the runs owned here to their keepers. */
  handOver(): Promise<readonly RunRef[]>;
}

/** What is made before the network and used by the work. */
export interface Made {
  readonly store: Store;
  readonly known: KnownFacts;
  readonly signer: FactSigner;
}

export async function openWork(
  base: DaemonBase,
  network: Network,
  { store, known, signer }: Made,
): Promise<Work> {
  const { logger } = base.env;
  const marks = await openMarksOf(base, network, store);
  const reading = network.bulk.openReading(store);
  const { hosts, ownership } = openRuns(base, network, { local: store, reading, known, signer });
  const catalog = openCatalog(base, network, { store: reading, ownership });
  const collection = openCollection(base, network, { store, marks });
  let isRefusing = false;
  network.reportWork(() => {
    const load = hosts.load();
    return { ...load, isAccepting: load.isAccepting && !isRefusing };
  });
  return {
    hosts,
    ownership,
    catalog,
    marks,
    collection,
    isRefusing: () => isRefusing,
    refuseMore: () => {
      isRefusing = true;
    },
    async handOver() {
      const left = await ownership.handOverAll();
      if (left.length > 0) logger.warn("runs-kept-by-nobody", { runs: left.map(runText) });
      return left;
    },
  };
}

interface Stores {
  readonly local: Store;
  /** Brings from other peers what it is asked to read. */
  readonly reading: Store;
  /** What the local one has, as others ask for it. */
  readonly known: KnownFacts;
  readonly signer: FactSigner;
}

/** The engine plans batches over the mesh's hosts; ownership gives it the store that its keepers follow. */
function openRuns(
  base: DaemonBase,
  { transport, membership, bulk, ...network }: Network,
  stores: Stores,
): Pick<Work, "hosts" | "ownership"> {
  const { options, env, closing } = base;
  const { clock, random, logger } = env;
  const { name } = options;
  const capacity = capacityOf(options, network.machine.sample());
  const local = createHostPool({
    clock,
    logger,
    home: options.home,
    slots: Math.max(1, Math.floor(capacity.cores)),
    // A step that opens a file which is inside a value may be the first here to need it.
    locate: async (ids) => {
      const found = await stores.local.locate(ids);
      const absent = ids.filter((_, position) => found[position] === undefined);
      if (absent.length === 0) return found;
      await bulk.bring(absent).catch((error: unknown) => {
        logger.warn("file-not-brought", { reason: String(error) });
      });
      return stores.local.locate(ids);
    },
  });
  closing.add("step hosts", () => local.close());
  const mesh = { transport, directory: membership, exchange: bulk, store: stores.reading };
  const hosts = createMeshHosts({
    ...mesh,
    ...env,
    local,
    name,
    signer: stores.signer,
    capacity,
    ballotOf: (run) => ownership.ownerOf(run)?.ballot ?? FIRST_BALLOT,
  });
  closing.add("placement", () => hosts.close());
  const { version } = env;
  const engine = {
    hosts,
    clock,
    random,
    logger,
    capacity,
    version,
    peer: name,
    signer: stores.signer,
    limits: hosts.limits,
    sharing: openSharing(base, { transport, membership }, stores),
  };
  const ownership: Ownership = createOwnership({
    ...mesh,
    createEngine: (store) =>
      createEngine({ ...engine, store: spreadingStore(store, { exchange: bulk, name }) }),
    clock,
    logger,
    self: membership.self,
    name,
    beforeResume: async (run, ballot) =>
      hosts.adopt(run, await hosts.whoWorks(run, ballot), ballot),
  });
  closing.add("ownership", () => ownership.close());
  return { hosts, ownership };
}

/** What this home's marks were before there was a mesh is told too. */
async function openMarksOf(
  { options, env, closing }: DaemonBase,
  { transport, membership }: Network,
  store: Store,
): Promise<Marks> {
  const { clock, random, logger } = env;
  const { name } = options;
  const parts = { transport, directory: membership, store, name };
  const marks = await openMarks({ ...parts, clock, random, logger });
  closing.add("marks", () => marks.stop());
  return marks;
}

/** Facts of others are used, and what they run now is waited for. */
function openSharing(
  { env, closing }: DaemonBase,
  { transport, membership }: Pick<Network, "transport" | "membership">,
  { local, known }: Stores,
): MeshSharing {
  const { clock, logger } = env;
  const sharing = new MeshSharing({
    transport,
    directory: membership,
    store: local,
    known,
    clock,
    logger,
  });
  closing.add("sharing", () => {
    known.close();
    sharing.close();
  });
  known.count(local).catch((error: unknown) => {
    logger.warn("facts-not-counted", { reason: String(error) });
  });
  return sharing;
}

function openCatalog(
  { options, env, closing }: DaemonBase,
  { transport, membership, bulk }: Network,
  { store, ownership }: { readonly store: Store; readonly ownership: Ownership },
): Catalog {
  const catalog = createCatalog({
    transport,
    directory: membership,
    exchange: bulk,
    store,
    clock: env.clock,
    logger: env.logger,
    selfName: options.name,
    live: liveRunsOf((run) => ownership.handle(run)),
    ownerOf: (run) => ownership.ownerOf(run),
  });
  closing.add("catalog", () => catalog.close());
  return catalog;
}

function openCollection(
  { options, env, closing }: DaemonBase,
  { transport, membership }: Network,
  { store, marks }: { readonly store: Store; readonly marks: Marks },
): Collection {
  const mesh = { transport, directory: membership, store, marks, selfName: options.name };
  const collection = createCollection({ ...env, ...mesh });
  closing.add("collection", () => collection.close());
  return collection;
}

/** Before the run's owner is recorded, its first owner is meant. */
const FIRST_BALLOT = 1;

function capacityOf({ cpus, memBytes }: DaemonOptions, sample: MachineSample): Capacity {
  const found = machineCapacity();
  return {
    cores: cpus ?? Math.min(found.cores, sample.cpus),
    memBytes: memBytes ?? Math.min(found.memBytes, sample.memBytes),
    gpus: found.gpus,
  };
}
