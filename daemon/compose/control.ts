/** What `mf` and `mfd` may ask of this daemon: the parts behind the control socket. */
import process from "node:process";
import type { DaemonSide, DaemonStatus } from "../../src/client/control/daemon-side.ts";
import type { Store } from "../../src/store/ports.ts";
import { advertisedAddresses } from "../config/advertised-addresses.ts";
import { createDaemonSide } from "../control/daemon-side.ts";
import type { DaemonBase } from "./daemon-base.ts";
import type { Admitted } from "./admitted.ts";
import type { Network } from "./network.ts";
import type { Work } from "./work.ts";

interface Parts {
  readonly store: Store;
  readonly admitted: Admitted;
  readonly network: Network;
  readonly work: Work;
}

/** How often a drain says what is left. */
const DRAIN_INTERVAL_MS = 500;

export function daemonSideOf(
  base: DaemonBase,
  parts: Parts,
  life: { readonly stop: () => void },
): DaemonSide {
  const { store, admitted, network, work } = parts;
  const { admission } = admitted;
  const startedAt = base.env.clock.now();
  return createDaemonSide({
    catalog: work.catalog,
    directory: network.membership,
    exchange: network.bulk,
    store,
    ownership: {
      async submit(flowPackage, request) {
        const submitted = await work.ownership.submit(flowPackage, request);
        // A draining peer gives away what it owns, so also what it is given now.
        if (work.isRefusing()) await work.handOver();
        return submitted;
      },
    },
    mark: (changes) => work.marks.write(changes),
    warm: () => work.hosts.warm(),
    name: base.options.name,
    addresses: () => advertisedAddresses(network.transport.listenAddresses()),
    admission,
    status: () => statusOf(base, parts, startedAt),
    async drain(onEvent, signal) {
      work.refuseMore();
      await work.handOver();
      const tell = (): void =>
        void onEvent({
          attempts: work.hosts.load().slots.busy,
          runs: work.ownership.owned().length,
        });
      let cancel = (): void => undefined;
      const repeat = (): void => {
        tell();
        cancel = base.env.clock.after(DRAIN_INTERVAL_MS, repeat);
      };
      repeat();
      try {
        await Promise.race([
          work.hosts.drain(),
          new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => resolve(), { once: true });
          }),
        ]);
      } finally {
        cancel();
      }
    },
    stop: async () => life.stop(),
  });
}

async function statusOf(
  { options, env }: DaemonBase,
  { store, admitted, network, work }: Parts,
  startedAt: number,
): Promise<DaemonStatus> {
  const { admission } = admitted;
  const { bytes, freeBytes } = await store.stats();
  const peers = network.membership.peers();
  const { loopDelayMs } = network.machine.sample();
  const { servedBytes, fetchedBytes } = network.bulk.stats();
  return {
    pid: process.pid,
    name: options.name,
    id: admission.self,
    listen: network.transport.listenAddresses(),
    peers: peers.filter((peer) => peer.state === "alive").length,
    runs: work.ownership.owned().length,
    store: { bytes, freeBytes, state: network.gauge.now().state },
    version: env.version,
    mesh: admission.mesh,
    roles: admission.roles.filter((role) => options.roles.includes(role)),
    startedAt,
    isDraining: work.isRefusing(),
    loopDelayMs,
    network: {
      ...network.transport.traffic(),
      contentBytesSent: servedBytes,
      contentBytesReceived: fetchedBytes,
    },
  };
}
