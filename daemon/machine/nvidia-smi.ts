/** NVIDIA's GPUs as their own tool tells them, without blocking the loop: a slow driver must not stop the daemon. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { GpuLoad } from "../../src/model/peer.ts";
import { GPU_OUTPUT_BYTES_MAX, GPU_TIMEOUT_MS, GPUS_MAX } from "./machine-limits.ts";

const QUERY = "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu";
const MIB = 1024 * 1024;

/** The program's path, or undefined on a machine without it. */
export function findNvidiaSmi(path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, "nvidia-smi"))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Undefined where it failed or took too long. */
export function readGpus(program: string): Promise<GpuLoad[] | undefined> {
  const options = {
    timeout: GPU_TIMEOUT_MS,
    maxBuffer: GPU_OUTPUT_BYTES_MAX,
    killSignal: "SIGKILL",
  } as const;
  return new Promise((resolve) => {
    execFile(
      program,
      [`--query-gpu=${QUERY}`, "--format=csv,noheader,nounits"],
      options,
      (error, stdout) => resolve(error === null ? parseGpus(stdout) : undefined),
    );
  });
}

/** Lines of `0, GPU-…, NVIDIA A100, 40960, 512, 3, 41`; a value may be `[N/A]`. A line that is not one is no GPU. */
export function parseGpus(output: string): GpuLoad[] {
  return output
    .split("\n")
    .flatMap((line) => {
      const [index, uuid, name, total, used, busy] = line.trim().split(", ");
      if (uuid === undefined || name === undefined || !/^\d+$/.test(index ?? "")) return [];
      const memBytes = (numberOf(total) ?? 0) * MIB;
      return [
        {
          uuid,
          name,
          memBytes,
          memFreeBytes: Math.max(0, memBytes - (numberOf(used) ?? 0) * MIB),
          busy: Math.min(1, (numberOf(busy) ?? 0) / 100),
        },
      ];
    })
    .slice(0, GPUS_MAX);
}

/** `N/A`, `[N/A]`, `[Not Supported]` are nothing. */
function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
