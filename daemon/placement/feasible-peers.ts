/** Which peers could run a batch at all, by what they say of themselves, and what the mesh has in all. Pure. */
import {
  NONE,
  unmetDemand,
  type Capacity,
  type Demand,
  type UnmetDemand,
} from "../../src/engine/scheduler/admission.ts";
import type { LoadRecord, PeerView } from "../../src/model/peer.ts";
import type { Resources } from "../../src/model/step-options.ts";
import { SPARE_FACTOR } from "./placement-limits.ts";

/** What a peer must have to run a batch. */
export interface PeerNeed {
  readonly demand: Demand;
  /** `name` or `name=value`. */
  readonly labels: readonly string[];
  /** The code loads native add-ons: the same platform and ABI as here. */
  readonly isNative: boolean;
}

export function isFeasible(peer: PeerView, need: PeerNeed, self: PeerView | undefined): boolean {
  const { load, profile } = peer;
  if (!isWorking(peer) || load === undefined || profile === undefined) return false;
  if (need.isNative && !peer.isSelf && !isSamePlatform(profile, self?.profile)) return false;
  const { demand } = need;
  const capacity = capacityOf(load);
  return (
    hasLabels(peer, need.labels) &&
    demand.cores <= Math.max(1, capacity.cores) &&
    demand.memBytes <= capacity.memBytes &&
    demand.gpus <= capacity.gpus
  );
}

/** Alive, willing, and able to store what it makes. */
export function isWorking({ state, load, profile }: PeerView): boolean {
  return (
    state === "alive" &&
    load !== undefined &&
    load.isAccepting &&
    (load.store === "rw" || load.store === "tight") &&
    profile?.roles.includes("work") === true
  );
}

export function capacityOf({ cpus, slots, memBytes, gpus }: LoadRecord): Capacity {
  // Whoever gives a daemon more slots than cores means it.
  return { cores: Math.max(cpus, slots.total), memBytes, gpus: gpus.length };
}

function hasLabels({ profile }: PeerView, labels: readonly string[]): boolean {
  return labels.every((label) => {
    const [name = "", ...value] = label.split("=");
    const own = profile?.labels[name];
    return own !== undefined && (value.length === 0 || own === value.join("="));
  });
}

function isSamePlatform(
  one: { readonly platform: string; readonly abi: string },
  other: { readonly platform: string; readonly abi: string } | undefined,
): boolean {
  return one.platform === other?.platform && one.abi === other.abi;
}

export interface MeshTotals {
  readonly capacity: Capacity;
  readonly slots: number;
}

/**
 * A little more than runs at once, so that a batch is at hand where a slot becomes free. (Of short tasks the scheduler sends one more
 * batch ahead for each slot.)
 */
export function meshTotals(peers: readonly PeerView[]): MeshTotals {
  const capacity = { cores: 0, memBytes: 0, gpus: 0 };
  let slots = 0;
  for (const peer of peers) {
    if (!isWorking(peer) || peer.load === undefined) continue;
    const own = capacityOf(peer.load);
    capacity.cores += own.cores;
    capacity.memBytes += own.memBytes;
    capacity.gpus += own.gpus;
    slots += peer.load.slots.total;
  }
  const more = (amount: number): number => Math.ceil(amount * SPARE_FACTOR);
  const { cores, memBytes, gpus } = capacity;
  return {
    capacity: { cores: more(cores), memBytes: more(memBytes), gpus: more(gpus) },
    slots: more(slots),
  };
}

/** What no single peer can give: the reason is that of the largest. */
export function unmetByAll(
  peers: readonly PeerView[],
  resources: Resources,
  labels: readonly string[],
): UnmetDemand | undefined {
  const labelled = peers.filter((peer) => isWorking(peer) && hasLabels(peer, labels));
  if (labelled.length === 0 && labels.length > 0)
    return { need: `a peer labelled ${labels.join(", ")}`, has: NONE, option: "--on" };
  let largest: UnmetDemand | undefined;
  let memBytes = -1;
  for (const { load } of labelled) {
    if (load === undefined) continue;
    const unmet = unmetDemand(resources, capacityOf(load));
    if (unmet === undefined) return undefined;
    if (load.memBytes <= memBytes) continue;
    largest = unmet;
    memBytes = load.memBytes;
  }
  return largest;
}
