/** What this machine is: asked once, for people and for the profile. Linux by its own files, other systems by systeminformation. */
import { readFileSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { Worker } from "node:worker_threads";
import type { Clock } from "../../src/env/clock.ts";
import type { GpuLoad } from "../../src/model/peer.ts";
import { INVENTORY_TIMEOUT_MS } from "./machine-limits.ts";

export interface Inventory {
  readonly cpuModel: string;
  /** All of the machine's, whatever this daemon may use. */
  readonly cores: number;
  /** Usable by this daemon: control group, affinity and --cpus respected. */
  readonly cpus: number;
  readonly memBytes: number;
  /** `linux-x64` */
  readonly platform: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly os: string;
  readonly kernel: string;
  readonly gpus: readonly { readonly name: string; readonly memBytes: number }[];
}

/** What the thread finds out; see inventory-thread.ts. */
export interface SystemFacts {
  readonly cpuModel: string;
  readonly os: string;
  readonly gpus: Inventory["gpus"];
}

export interface InventoryOptions {
  readonly clock: Clock;
  readonly cpus: number;
  readonly memBytes: number;
  /** Already read, where there is nvidia-smi. */
  readonly gpus: readonly GpuLoad[];
  /** Asks systeminformation; where it is left out, on every system but Linux. */
  readonly isAskingSystem?: boolean;
}

export async function takeInventory(options: InventoryOptions): Promise<Inventory> {
  const isAsking = options.isAskingSystem ?? platform() !== "linux";
  const asked = isAsking ? await askSystem(options.clock) : undefined;
  const facts = asked ?? linuxFacts();
  const gpus = options.gpus.map(({ name, memBytes }) => ({ name, memBytes }));
  return {
    cpuModel: facts.cpuModel,
    cores: cpus().length,
    cpus: options.cpus,
    memBytes: options.memBytes,
    platform: `${platform()}-${arch()}`,
    os: facts.os,
    kernel: release(),
    gpus: gpus.length > 0 ? gpus : facts.gpus,
  };
}

function linuxFacts(): SystemFacts {
  let os = `${platform()} ${release()}`;
  try {
    os = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? os;
  } catch {
    // A Linux without the file, or no Linux: the kernel's name does.
  }
  return { cpuModel: cpus()[0]?.model.trim() ?? "", os, gpus: [] };
}

/** In a thread, because systeminformation runs commands synchronously. Undefined where it fails or takes too long. */
function askSystem(clock: Clock): Promise<SystemFacts | undefined> {
  const worker = new Worker(new URL("./inventory-thread.js", import.meta.url));
  worker.unref();
  return new Promise((resolve) => {
    const end = (facts?: SystemFacts): void => {
      cancel();
      void worker.terminate();
      resolve(facts);
    };
    const cancel = clock.after(INVENTORY_TIMEOUT_MS, () => end(), { unref: true });
    worker.once("message", (facts: SystemFacts) => end(facts));
    worker.once("error", () => end());
    worker.once("exit", () => end());
  });
}
