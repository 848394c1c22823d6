/**
 * What this machine lets us use: cores and memory within the limits of our control group, and GPUs the driver lists.
 * A container's share counts, not the size of the host around it.
 */
import { readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import {
  CONTROL_GROUP_FILES,
  controlGroupCores,
  type ControlGroupFiles,
} from "../env/control-group.ts";
import type { Capacity } from "./scheduler/admission.ts";

/** Where Linux says these things; a test gives a directory of its own. */
export interface MachineFiles extends ControlGroupFiles {
  /** One entry for each NVIDIA device. */
  readonly gpus: string;
}

const LINUX_FILES: MachineFiles = { ...CONTROL_GROUP_FILES, gpus: "/proc/driver/nvidia/gpus" };

export function machineCapacity(files: MachineFiles = LINUX_FILES): Capacity {
  const cores = Math.min(availableParallelism(), controlGroupCores(files));
  return {
    // A quota below one core makes a task slower, not impossible.
    cores: Math.max(1, cores),
    // Where there is no limit, Node gives zero or a number beyond any machine.
    memBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    gpus: entryCount(files.gpus),
  };
}

function entryCount(directory: string): number {
  try {
    return readdirSync(directory).length;
  } catch {
    return 0;
  }
}
