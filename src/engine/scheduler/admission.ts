/** Whether an attempt may start beside what runs: free = totals - running. Pure. */
import { GIGABYTE } from "../../model/size-units.ts";
import type { Resources, StepOptions } from "../../model/step-options.ts";

export interface Capacity {
  readonly cores: number;
  readonly memBytes: number;
  readonly gpus: number;
}

/** What a batch holds while it runs (its attempts run one after another). */
export type Demand = Capacity;

/** @param resources at most `totals` (`unmetDemand` is asked before a run begins) */
export function demandOf(resources: Resources): Demand {
  return { cores: resources.cpu, memBytes: resources.memBytes ?? 0, gpus: resources.gpu };
}

/** Of what there is nothing at all. */
export const NONE = "none";

export interface UnmetDemand {
  /** For people: `12 GB of memory`. */
  readonly need: string;
  readonly has: string;
  /** How a step declares less of it. */
  readonly option: string;
}

/** What a step declares and no machine of this size can ever give, or undefined. */
export function unmetDemand(resources: Resources, totals: Capacity): UnmetDemand | undefined {
  const { cpu, gpu, memBytes } = resources;
  // The default of one core is no declaration: it runs on any machine.
  if (cpu > Math.max(1, totals.cores))
    return { need: `${cpu} cores`, has: coresText(totals.cores), option: "resources.cpu" };
  if (memBytes !== undefined && memBytes > totals.memBytes)
    return {
      need: `${gigabytes(memBytes)} of memory`,
      has: gigabytes(totals.memBytes),
      option: "resources.mem",
    };
  if (gpu > totals.gpus)
    return {
      need: gpu === 1 ? "a GPU" : `${gpu} GPUs`,
      has: totals.gpus === 0 ? NONE : String(totals.gpus),
      option: "resources.gpu",
    };
  return undefined;
}

function coresText(cores: number): string {
  return Number.isInteger(cores) ? String(cores) : cores.toFixed(1);
}

/** One decimal is enough to choose a machine, two where the first would be nought. */
function gigabytes(bytes: number): string {
  const size = bytes / GIGABYTE;
  return `${size < 1 ? size.toFixed(2) : size.toFixed(1)} GB`;
}

/** What a mesh has for runs, as it changes. Implemented by daemon/placement. */
export interface MeshLimits {
  /** Of all peers together, with a little on top so that none waits for its next batch. */
  totals(): Capacity;
  slots(): number;
  /** What no single peer with these labels has, or undefined. */
  unmet(resources: Resources, labels: readonly string[]): UnmetDemand | undefined;
  /** Calls back when there may be more than before. */
  subscribe(listener: () => void): () => void;
}

export function fits(demand: Demand, used: Capacity, totals: Capacity): boolean {
  // Fractions of cores add up with rounding errors.
  return (
    used.cores + demand.cores <= totals.cores + 1e-9 &&
    used.memBytes + demand.memBytes <= totals.memBytes &&
    used.gpus + demand.gpus <= totals.gpus
  );
}

export function plus(used: Capacity, demand: Demand, sign: 1 | -1): Capacity {
  return {
    cores: used.cores + sign * demand.cores,
    memBytes: used.memBytes + sign * demand.memBytes,
    gpus: used.gpus + sign * demand.gpus,
  };
}

/** Memory and devices are declared for one attempt, so no two share the process. */
export function needsProcessPerAttempt(options: StepOptions): boolean {
  return (
    options.resources.memBytes !== undefined ||
    options.resources.gpu > 0 ||
    options.isolation === "process"
  );
}
