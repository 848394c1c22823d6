/** What runs here and for others: the engine over the mesh's hosts, the runs this peer owns or keeps, and what is known of all. */
import { createEngine } from "../../src/engine/engine.ts";
import { createHostPool } from "../../src/engine/hosts/host-pool.ts";
import { machineCapacity } from "../../src/engine/machine-capacity.ts";
import type { Capacity } from "../../src/engine/scheduler/admission.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { Store } from "../../src/store/ports.ts";
import { createCatalog, type Catalog } from "../catalog/catalog.ts";
import { liveRunsOf } from "../catalog/live-runs.ts";
import type { DaemonBase } from "../daemon.ts";
import { createOwnership, type Ownership } from "../ownership/ownership-service.ts";
import { createMeshHosts, type MeshHosts } from "../placement/mesh-hosts.ts";
import type { Network } from "./network.ts";

export interface Work {
  readonly hosts: MeshHosts;
  readonly ownership: Ownership;
  readonly catalog: Catalog;
  readonly isRefusing: () => boolean;
  /** Nothing new starts here from now on. */
  refuseMore(): void;
  /** Gives the runs owned here to their keepers. */
  handOver(): Promise<readonly RunRef[]>;
}

export function openWork(base: DaemonBase, network: Network, store: Store): Work {
  const { options, env, closing } = base;
  const { clock, random, logger } = env;
  const { transport, membership, bulk, machine } = network;
  const capacity = capacityOf(base, network);
  const local = createHostPool({
    clock,
    logger,
    home: options.home,
    slots: Math.max(1, Math.floor(capacity.cores)),
    locate: (ids) => store.locate(ids),
  });
  closing.add("step hosts", () => local.close());
  const reading = bulk.openReading(store);
  const hosts = createMeshHosts({
    transport,
    directory: membership,
    local,
    exchange: bulk,
    store: reading,
    clock,
    random,
    logger,
    name: options.name,
    capacity,
    ballotOf: (run) => ownership.ownerOf(run)?.ballot ?? FIRST_BALLOT,
  });
  closing.add("placement", () => hosts.close());
  const ownership: Ownership = createOwnership({
    transport,
    directory: membership,
    store: reading,
    exchange: bulk,
    createEngine: (owned) =>
      createEngine({
        store: owned,
        hosts,
        clock,
        random,
        logger,
        peer: options.name,
        capacity,
        limits: hosts.limits,
      }),
    clock,
    logger,
    self: membership.self,
    name: options.name,
    beforeResume: async (run) => hosts.adopt(run, await hosts.whoWorks(run)),
  });
  closing.add("ownership", () => ownership.close());
  const catalog = createCatalog({
    transport,
    directory: membership,
    exchange: bulk,
    store: reading,
    clock,
    logger,
    selfName: options.name,
    live: liveRunsOf((run) => ownership.handle(run)),
    ownerOf: (run) => ownership.ownerOf(run),
  });
  closing.add("catalog", () => catalog.close());
  let isRefusing = false;
  network.reportWork(() => {
    const load = hosts.load();
    return { ...load, isAccepting: load.isAccepting && !isRefusing };
  });
  logger.debug("work-opened", { cores: machine.sample().cpus });
  return {
    hosts,
    ownership,
    catalog,
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

/** Before the run's owner is recorded, its first owner is meant. */
const FIRST_BALLOT = 1;

function capacityOf({ options }: DaemonBase, { machine }: Network): Capacity {
  const found = machineCapacity();
  const sample = machine.sample();
  return {
    cores: options.cpus ?? Math.min(found.cores, sample.cpus),
    memBytes: options.memBytes ?? Math.min(found.memBytes, sample.memBytes),
    gpus: found.gpus,
  };
}
