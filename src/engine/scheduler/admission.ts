/** Whether an attempt may start beside what runs: free = totals - running. Pure. */
import type { Resources, StepOptions } from "../../model/step-options.ts";

export interface Capacity {
  readonly cores: number;
  readonly memBytes: number;
  readonly gpus: number;
}

/** What a batch holds while it runs (its attempts run one after another). */
export type Demand = Capacity;

/** A demand beyond the machine is cut to all of it: such a step runs alone rather than never. */
export function demandOf(resources: Resources, totals: Capacity): Demand {
  return {
    cores: Math.min(resources.cpu, totals.cores),
    memBytes: Math.min(resources.memBytes ?? 0, totals.memBytes),
    gpus: Math.min(resources.gpu, totals.gpus),
  };
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

/** What of a step's code decides where it runs (any StepCode has it). */
export interface CodeTraits {
  readonly kind: string;
  /** Native packages. */
  readonly externals?: readonly unknown[];
}

/** A process of its own: what may crash, what is measured by itself, what is Python (design §4). */
export function needsOwnProcess(options: StepOptions, code: CodeTraits): boolean {
  return (
    needsProcessPerAttempt(options) || code.kind === "python" || (code.externals ?? []).length > 0
  );
}

/** Memory and devices are declared for one attempt, so no two share the process. */
export function needsProcessPerAttempt(options: StepOptions): boolean {
  return (
    options.resources.memBytes !== undefined ||
    options.resources.gpu > 0 ||
    options.isolation === "process"
  );
}
