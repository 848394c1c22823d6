/** The daemon among its peers: connections, who is there and how they are, content that moves between them. */
import { createServer } from "node:net";
import process from "node:process";
import type { LoadRecord, PeerProfile } from "../../src/model/peer.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Store } from "../../src/store/ports.ts";
import { othersAlive } from "../../src/wire/peer-directory.ts";
import { createBulk, type Bulk } from "../bulk/bulk.ts";
import type { DaemonOptions } from "../config/daemon-options.ts";
import { listenedOn, portOf, writeRemembered } from "../config/remembered.ts";
import type { DaemonBase } from "./daemon-base.ts";
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
  const machine = openMachine(base);
  const gauge = new StoreGauge(store, { clock, logger, bytesMax: options.storeBytesMax });
  await gauge.start();
  closing.add("gauge", () => gauge.stop());
  const transport = await makeTransport(base, admitted);
  const { admission, boot } = admitted;
  admission.attach(transport);
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
      await transport.start();
      remember(options, transport.listenAddresses());
      membership.start();
      closing.add("membership", () => membership.stop());
      admission.start();
      const isNew = options.join !== undefined;
      const isAlone = admission.seeds().length === 0;
      if (!isAlone) await firstPeer(membership, clock, isNew ? JOINED_WAIT_MS : BACK_WAIT_MS);
    },
  };
}

/** A daemon that has joined says so when it sees the mesh; one that comes back does not wait long for peers that may be off. */
const JOINED_WAIT_MS = 5_000;
const BACK_WAIT_MS = 1_000;

function firstPeer(membership: Membership, clock: Clock, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const isThere = (): boolean =>
      othersAlive(membership).some((peer) => peer.isConnected && peer.profile !== undefined);
    const end = (): void => {
      cancel();
      unsubscribe();
      resolve();
    };
    const cancel = clock.after(waitMs, end);
    const unsubscribe = membership.subscribe(() => {
      if (isThere()) end();
    });
    if (isThere()) end();
  });
}

function openMachine({ options, env, closing }: DaemonBase): Machine {
  const { home, cpus, memBytes } = options;
  const machine = createMachine({
    clock: env.clock,
    logger: env.logger,
    home,
    ...(cpus === undefined ? {} : { cpus }),
    ...(memBytes === undefined ? {} : { memBytes }),
  });
  machine.start();
  closing.add("machine", () => machine.stop());
  return machine;
}

/** Nothing is bound yet: everybody registers what they answer first. */
async function makeTransport(base: DaemonBase, admitted: Admitted): Promise<Libp2pTransport> {
  const { options, env, closing } = base;
  const { identity, admission } = admitted;
  const listen = await listenOn(base);
  const transport = createLibp2pTransport({
    ...env,
    identity,
    gate: admission,
    listen,
    mdns: !options.listen.every((address) => address.startsWith("127.")),
  });
  closing.add("transport", () => transport.stop());
  return transport;
}

/** Where a remembered port is taken by now, any other. */
async function listenOn({ options, env }: DaemonBase): Promise<readonly string[]> {
  const { listen, listenFallback } = options;
  if (listenFallback === undefined) return listen;
  const areFree = await Promise.all(listen.map(isFree));
  if (!areFree.includes(false)) return listen;
  env.logger.warn("port-taken", { listen: listen.join(", ") });
  return listenFallback;
}

function isFree(hostAndPort: string): Promise<boolean> {
  const port = Number(hostAndPort.slice(hostAndPort.lastIndexOf(":") + 1));
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: hostOf(hostAndPort), port }, () => probe.close(() => resolve(true)));
  });
}

function remember({ home, name, listen }: DaemonOptions, listening: readonly string[]): void {
  const port = portOf(listening);
  const where = port === undefined ? {} : { port, listen: listenedOn(listen, listening) };
  writeRemembered(home, { name, ...where });
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
