/** A peer as `mf peers` shows it; a peer whose first record has not come yet has nothing but its state. */
import type { PeerRow } from "../../src/client/control/daemon-side.ts";
import type { PeerView } from "../../src/model/peer.ts";
import { peerName } from "../../src/wire/peer-directory.ts";

export function peerRowOf(view: PeerView): PeerRow {
  const { profile, load } = view;
  return {
    name: peerName(view, view.id),
    id: view.id,
    self: view.isSelf,
    state: view.state,
    cpus: load?.cpus ?? 0,
    memBytes: load?.memBytes ?? 0,
    gpus: load?.gpus ?? [],
    load: load?.cpuBusy ?? 0,
    slots: load?.slots ?? { total: 0, busy: 0 },
    version: profile?.version ?? "",
    memFreeBytes: load?.memFreeBytes ?? 0,
    diskFreeBytes: load?.diskFreeBytes ?? 0,
    ...(view.latencyMs === undefined ? {} : { latencyMs: view.latencyMs }),
    labels: profile?.labels ?? {},
    roles: profile?.roles ?? [],
    addresses: view.addresses,
    isAccepting: load?.isAccepting ?? false,
  };
}
