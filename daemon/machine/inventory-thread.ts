/** The thread that asks systeminformation once: it runs commands synchronously, some of them for half a second. */
import { parentPort } from "node:worker_threads";
import { cpu, graphics, osInfo } from "systeminformation";
import type { SystemFacts } from "./inventory.ts";
import { GPUS_MAX } from "./machine-limits.ts";

const MIB = 1024 * 1024;

const [processor, system, screen] = await Promise.all([cpu(), osInfo(), graphics()]);
const facts: SystemFacts = {
  cpuModel: `${processor.manufacturer} ${processor.brand}`.trim(),
  os: `${system.distro} ${system.release}`.trim(),
  gpus: screen.controllers
    .filter(({ vram }) => (vram ?? 0) > 0)
    .slice(0, GPUS_MAX)
    .map(({ model, vram }) => ({ name: model, memBytes: (vram ?? 0) * MIB })),
};
parentPort?.postMessage(facts);
