/**
 * What this machine lets us use: cores and memory within the limits of our control group, and GPUs the driver lists.
 * A container's share counts, not the size of the host around it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { Capacity } from "./scheduler/admission.ts";

/** Where Linux says these things; a test gives a directory of its own. */
export interface MachineFiles {
  readonly cgroupRoot: string;
  /** Which control group this process is in. */
  readonly ownCgroup: string;
  /** One entry for each NVIDIA device. */
  readonly gpus: string;
}

const LINUX_FILES: MachineFiles = {
  cgroupRoot: "/sys/fs/cgroup",
  ownCgroup: "/proc/self/cgroup",
  gpus: "/proc/driver/nvidia/gpus",
};

export function machineCapacity(files: MachineFiles = LINUX_FILES): Capacity {
  const cores = Math.min(availableParallelism(), cpuQuota(files));
  return {
    // A quota below one core makes a task slower, not impossible.
    cores: Math.max(1, cores),
    // Where there is no limit, Node gives zero or a number beyond any machine.
    memBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
    gpus: entryCount(files.gpus),
  };
}

/** The smallest quota of our control group and those around it, in cores. */
function cpuQuota({ cgroupRoot, ownCgroup }: MachineFiles): number {
  const own = /^0::(\/.*)$/m.exec(textOf(ownCgroup))?.[1] ?? "/";
  let quota = Infinity;
  for (let path = own; ; path = dirname(path)) {
    const [used, period] = textOf(join(cgroupRoot, path, "cpu.max"))
      .trim()
      .split(" ")
      .map(Number);
    // "max" is no number: no quota here.
    if (used !== undefined && period !== undefined && used > 0 && period > 0)
      quota = Math.min(quota, used / period);
    if (path === "/" || path === ".") return quota;
  }
}

/** Empty where there is no such file: another system, or no control groups. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function entryCount(directory: string): number {
  try {
    return readdirSync(directory).length;
  } catch {
    return 0;
  }
}
