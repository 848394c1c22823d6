/** How many cores our control group (and those around it) lets us use: a container's share counts, not the size of its host. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where Linux says so; a test gives directories of its own. */
export interface ControlGroupFiles {
  /** Version 2 is mounted here, or version 1's controllers in directories below it. */
  readonly cgroupRoot: string;
  /** Which control group this process is in. */
  readonly ownCgroup: string;
}

export const CONTROL_GROUP_FILES: ControlGroupFiles = {
  cgroupRoot: "/sys/fs/cgroup",
  ownCgroup: "/proc/self/cgroup",
};

/** The smallest quota from our group up to the root, in cores; Infinity where there is none. */
export function controlGroupCores({ cgroupRoot, ownCgroup }: ControlGroupFiles): number {
  const groups = textOf(ownCgroup);
  const second = /^0::(\/.*)$/m.exec(groups)?.[1] ?? "/";
  const first = /^\d+:(?:[\w,]+,)?cpu(?:,[\w,]+)?:(\/.*)$/m.exec(groups)?.[1] ?? "/";
  return Math.min(
    smallest(second, (path) => secondVersionQuota(join(cgroupRoot, path))),
    ...["cpu", "cpu,cpuacct"].map((controller) =>
      smallest(first, (path) => firstVersionQuota(join(cgroupRoot, controller, path))),
    ),
  );
}

function smallest(own: string, quotaAt: (path: string) => number): number {
  let quota = Infinity;
  for (let path = own; ; path = dirname(path)) {
    quota = Math.min(quota, quotaAt(path));
    if (path === "/" || path === ".") return quota;
  }
}

function secondVersionQuota(directory: string): number {
  const [used, period] = textOf(join(directory, "cpu.max")).trim().split(" ").map(Number);
  return quotaOf(used, period);
}

function firstVersionQuota(directory: string): number {
  return quotaOf(
    Number(textOf(join(directory, "cpu.cfs_quota_us"))),
    Number(textOf(join(directory, "cpu.cfs_period_us"))),
  );
}

/** "max", -1 and an absent file are no quota. */
function quotaOf(used: number | undefined, period: number | undefined): number {
  if (used === undefined || period === undefined) return Infinity;
  return used > 0 && period > 0 ? used / period : Infinity;
}

/** Empty where there is no such file: another system, or no control groups. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
