/** A peer as `mf peers` shows it; a peer whose first record has not come yet has nothing but its state. */
import type { PeerRow } from "../../src/client/control/daemon-side.ts";
import type { LoadRecord, PeerView } from "../../src/model/peer.ts";
import { peerName } from "../../src/wire/peer-directory.ts";

const NOTHING_SAID: Pick<
  LoadRecord,
  | "cpus"
  | "cpuBusy"
  | "memBytes"
  | "memFreeBytes"
  | "gpus"
  | "diskFreeBytes"
  | "slots"
  | "isAccepting"
> = {
  cpus: 0,
  cpuBusy: 0,
  memBytes: 0,
  memFreeBytes: 0,
  gpus: [],
  diskFreeBytes: 0,
  slots: { total: 0, busy: 0 },
  isAccepting: false,
};

export function peerRowOf(view: PeerView): PeerRow {
  const { profile, load = NOTHING_SAID } = view;
  return {
    name: peerName(view, view.id),
    id: view.id,
    self: view.isSelf,
    state: view.state,
    cpus: load.cpus,
    memBytes: load.memBytes,
    gpus: load.gpus,
    load: load.cpuBusy,
    slots: load.slots,
    version: profile?.version ?? "",
    memFreeBytes: load.memFreeBytes,
    diskFreeBytes: load.diskFreeBytes,
    ...(view.latencyMs === undefined ? {} : { latencyMs: view.latencyMs }),
    labels: profile?.labels ?? {},
    roles: profile?.roles ?? [],
    addresses: view.addresses,
    isAccepting: load.isAccepting,
  };
}
