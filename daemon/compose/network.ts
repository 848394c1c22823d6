/** The daemon among its peers: connections, who is there and how they are, content that moves between them. */
import process from "node:process";
import { MfError } from "../../src/model/errors.ts";
import type { LoadRecord, PeerProfile } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { createBulk, type Bulk } from "../bulk/bulk.ts";
import { portOf, writeRemembered } from "../config/remembered.ts";
import type { DaemonBase } from "../daemon.ts";
import { createMachine, type Machine } from "../machine/machine.ts";
import { loadRecordOf } from "../machine/load-record.ts";
import { createMembership, type Membership } from "../membership/membership-service.ts";
import { createLibp2pTransport, type Libp2pTransport } from "../net/libp2p-transport.ts";
import type { Admitted } from "./admitted.ts";
import { StoreGauge } from "./store-gauge.ts";

export interface Network {
  readonly transport: Libp2pTransport;
  readonly membership: Membership;
  readonly bulk: Bulk;
  readonly machine: Machine;
  readonly gauge: StoreGauge;
  /** Who fills this peer's slots says so; until then it has none. */
  reportWork(report: () => Pick<LoadRecord, "slots" | "queue" | "isAccepting">): void;
  /** From here on others are heard: every handler is registered. */
  begin(): Promise<void>;
}

export async function openNetwork(
  base: DaemonBase,
  admitted: Admitted,
  store: Store,
): Promise<Network> {
  const { options, env, closing } = base;
  const { clock, random, logger } = env;
  const machine = createMachine({
    clock,
    logger,
    home: options.home,
    ...(options.cpus === undefined ? {} : { cpus: options.cpus }),
    ...(options.memBytes === undefined ? {} : { memBytes: options.memBytes }),
  });
  machine.start();
  closing.add("machine", () => machine.stop());
  const gauge = new StoreGauge(store, { clock, logger, bytesMax: options.storeBytesMax });
  await gauge.start();
  closing.add("gauge", () => gauge.stop());
  const transport = await listen(base, admitted);
  const { admission, boot } = admitted;
  let report = (): Pick<LoadRecord, "slots" | "queue" | "isAccepting"> => ({
    slots: { total: 0, busy: 0 },
    queue: 0,
    isAccepting: false,
  });
  const membership = createMembership({
    transport,
    clock,
    random,
    logger,
    profile: profileOf(base, admitted),
    bootCounter: boot,
    localLoad: () => loadRecordOf(machine.sample(), { ...report(), store: gauge.now() }),
    seeds: admission.seeds(),
    remember: (peers) => {
      for (const { peer, addresses } of peers) admission.noteAddresses(peer, addresses);
    },
  });
  const bulk = createBulk({
    transport,
    directory: membership,
    store,
    clock,
    random,
    logger,
    home: options.home,
    host: hostOf(options.listen[0] ?? "0.0.0.0:0"),
  });
  closing.add("bulk", () => bulk.stop());
  return {
    transport,
    membership,
    bulk,
    machine,
    gauge,
    reportWork: (given) => {
      report = given;
    },
    async begin() {
      bulk.start();
      admission.attach(transport);
      membership.start();
      closing.add("membership", () => membership.stop());
      admission.start();
    },
  };
}

/** Binds the port; where a remembered one is taken by now, any other. @throws MfError LISTEN_FAILED */
async function listen(base: DaemonBase, admitted: Admitted): Promise<Libp2pTransport> {
  const { options, env, closing } = base;
  const { identity, admission } = admitted;
  const open = async (addresses: readonly string[]): Promise<Libp2pTransport> => {
    const transport = createLibp2pTransport({
      ...env,
      identity,
      gate: admission,
      listen: addresses,
      mdns: !addresses.every((address) => address.startsWith("127.")),
    });
    try {
      await transport.start();
      return transport;
    } catch (error) {
      await transport.stop();
      throw error;
    }
  };
  let transport: Libp2pTransport;
  try {
    transport = await open(options.listen);
  } catch (error) {
    if (options.listenFallback === undefined || !(error instanceof MfError)) throw error;
    env.logger.warn("port-taken", { listen: options.listen.join(", ") });
    transport = await open(options.listenFallback);
  }
  closing.add("transport", () => transport.stop());
  const port = portOf(transport.listenAddresses());
  writeRemembered(options.home, { name: options.name, ...(port === undefined ? {} : { port }) });
  return transport;
}

function profileOf({ options, env }: DaemonBase, { admission }: Admitted): PeerProfile {
  return {
    name: options.name,
    version: env.version,
    roles: admission.roles.filter((role) => options.roles.includes(role)),
    labels: options.labels,
    platform: `${process.platform}-${process.arch}`,
    abi: process.versions.modules,
  };
}

/** The lane for large contents listens where the daemon does. */
function hostOf(hostAndPort: string): string {
  const host = hostAndPort.slice(0, hostAndPort.lastIndexOf(":"));
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
