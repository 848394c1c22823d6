/** What this machine has in all, as far as shares (`--mem 50%`) and defaults need it; daemon/machine measures what is free. */
import { existsSync, statfsSync } from "node:fs";
import { availableParallelism, hostname, totalmem } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";

export interface HostFacts {
  readonly hostName: string;
  readonly cpus: number;
  readonly memBytes: number;
  /** Of the disk under the home. */
  readonly diskBytes: number;
}

export function hostFacts(home: string): HostFacts {
  // 0 where the system has no such limit, and a number beyond all memory where a control group sets none.
  const constrained = process.constrainedMemory();
  const total = totalmem();
  return {
    hostName: hostname(),
    cpus: availableParallelism(),
    memBytes: constrained > 0 ? Math.min(constrained, total) : total,
    diskBytes: diskBytes(home),
  };
}

/** The home may not exist yet: then of what it will be made in. */
function diskBytes(home: string): number {
  let folder = resolve(home);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { blocks, bsize } = statfsSync(folder);
  return blocks * bsize;
}
