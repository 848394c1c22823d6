/**
 * A sample as others hear of it: rounded so that noise changes nothing, and always to the careful side (less free, more busy).
 * Half of what keeps gossip quiet; the other half is membership's hysteresis.
 */
import type { LoadRecord } from "../../src/model/peer.ts";
import type { MachineSample } from "./machine.ts";

export interface LocalState {
  readonly slots: LoadRecord["slots"];
  readonly queue: number;
  readonly store: { readonly state: LoadRecord["store"]; readonly freeBytes: number };
  readonly isAccepting: boolean;
}

const CPU_STEP = 0.05;
const GPU_STEP = 0.1;
/** Of the whole memory. */
const MEMORY_PARTS = 32;
const GIB = 1024 ** 3;

export function loadRecordOf(sample: MachineSample, local: LocalState): LoadRecord {
  return {
    cpus: Math.round(sample.cpus * 100) / 100,
    cpuBusy: upTo(Math.max(sample.cpuBusy, sample.cpuPressure), CPU_STEP),
    memBytes: sample.memBytes,
    memFreeBytes: downTo(sample.memFreeBytes, sample.memBytes / MEMORY_PARTS),
    gpus: sample.gpus.map((gpu) => ({
      ...gpu,
      memFreeBytes: downTo(gpu.memFreeBytes, gpu.memBytes / MEMORY_PARTS),
      busy: upTo(gpu.busy, GPU_STEP),
    })),
    diskFreeBytes: downTo(Math.min(sample.diskFreeBytes, local.store.freeBytes), GIB / 4),
    store: local.store.state,
    slots: local.slots,
    queue: local.queue,
    loopDelayMs: sample.loopDelayMs < 1 ? 0 : 2 ** Math.round(Math.log2(sample.loopDelayMs)),
    isAccepting:
      local.isAccepting && local.store.state !== "full" && local.store.state !== "poisoned",
  };
}

function upTo(share: number, step: number): number {
  // Rounded again: 3 * 0.05 is not 0.15, and others get hundredths.
  return Math.min(1, Math.round(Math.ceil(share / step - 1e-9) * step * 100) / 100);
}

function downTo(bytes: number, step: number): number {
  return step > 0 ? Math.floor(Math.floor(bytes / step + 1e-9) * step) : 0;
}
