/**
 * This machine's capacity and load, measured once a second in about a tenth of a millisecond: files of /proc that stay open, no
 * processes. Its limits are those of our control group, and what the daemon was told to use.
 */
import { statfs, statfsSync } from "node:fs";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import process from "node:process";
import type { Clock } from "../../src/env/clock.ts";
import {
  CONTROL_GROUP_FILES,
  controlGroupCores,
  type ControlGroupFiles,
} from "../../src/env/control-group.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { GpuLoad } from "../../src/model/peer.ts";
import { takeInventory, type Inventory } from "./inventory.ts";
import { busyShare, cpuTicks, memoryField, pressure, type CpuTicks } from "./linux-load.ts";
import {
  GPU_FAILURES_MAX,
  GPU_SAMPLE_MS,
  LOOP_RESOLUTION_MS,
  LOOP_WINDOW_SAMPLES,
  SAMPLE_MS,
} from "./machine-limits.ts";
import { findNvidiaSmi, readGpus } from "./nvidia-smi.ts";
import { ProcFile } from "./proc-file.ts";

export interface MachineOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** `--cpus`, `--mem`: what this daemon may use, below what there is. */
  readonly cpus?: number;
  readonly memBytes?: number;
  /** Where the store is: its file system's free space counts. */
  readonly home: string;
  /** Linux's files, elsewhere in a test. */
  readonly procRoot?: string;
  readonly controlGroup?: ControlGroupFiles;
  /** The search path for nvidia-smi; the environment's where it is left out. */
  readonly searchPath?: string;
}

/** As measured, nothing rounded; see load-record.ts. */
export interface MachineSample {
  readonly cpus: number;
  readonly cpuBusy: number;
  /** Share of the last ten seconds in which something waited for a core. */
  readonly cpuPressure: number;
  readonly memBytes: number;
  readonly memFreeBytes: number;
  readonly memPressure: number;
  readonly gpus: readonly GpuLoad[];
  readonly diskFreeBytes: number;
  readonly loopDelayMs: number;
}

export interface Machine {
  inventory(): Promise<Inventory>;
  start(): void;
  stop(): void;
  /** The latest; the first is taken at once. */
  sample(): MachineSample;
}

export function createMachine(options: MachineOptions): Machine {
  return new MeasuredMachine(options);
}

class MeasuredMachine implements Machine {
  readonly #options: MachineOptions;
  readonly #cpus: number;
  readonly #memBytes: number;
  readonly #files: Readonly<Record<"stat" | "meminfo" | "cpuPressure" | "memPressure", ProcFile>>;
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  readonly #nvidiaSmi: string | undefined;
  #ticks: CpuTicks | undefined;
  #cpuBusy = 0;
  #gpus: readonly GpuLoad[] = [];
  #gpuFailures = 0;
  #gpusReady: Promise<void> | undefined;
  #diskFreeBytes = 0;
  #isAskingDisk = false;
  #loopDelayMs = 0;
  #sampleCount = 0;
  #latest: MachineSample | undefined;
  #inventory: Promise<Inventory> | undefined;
  #cancelSample: (() => void) | undefined;
  #cancelGpus: (() => void) | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    const proc = options.procRoot ?? "/proc";
    this.#files = {
      stat: new ProcFile(`${proc}/stat`),
      meminfo: new ProcFile(`${proc}/meminfo`),
      cpuPressure: new ProcFile(`${proc}/pressure/cpu`),
      memPressure: new ProcFile(`${proc}/pressure/memory`),
    };
    const quota = controlGroupCores(options.controlGroup ?? CONTROL_GROUP_FILES);
    this.#cpus = Math.min(options.cpus ?? Infinity, availableParallelism(), quota);
    // Where there is no limit, Node gives zero or a number beyond any machine.
    const memBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
    this.#memBytes = Math.min(options.memBytes ?? Infinity, memBytes);
    this.#nvidiaSmi = findNvidiaSmi(options.searchPath ?? process.env["PATH"] ?? "");
  }

  inventory(): Promise<Inventory> {
    this.#inventory ??= this.#takeInventory();
    return this.#inventory;
  }

  async #takeInventory(): Promise<Inventory> {
    await this.#sampleGpus();
    return takeInventory({
      clock: this.#options.clock,
      cpus: this.#cpus,
      memBytes: this.#memBytes,
      gpus: this.#gpus,
    });
  }

  start(): void {
    if (this.#cancelSample !== undefined) return;
    this.#loop.enable();
    this.#diskFreeBytes = freeBytesNow(this.#options.home);
    this.#measure();
    this.#repeat();
    if (this.#nvidiaSmi !== undefined) this.#repeatGpus();
  }

  stop(): void {
    this.#cancelSample?.();
    this.#cancelSample = undefined;
    this.#cancelGpus?.();
    this.#cancelGpus = undefined;
    this.#loop.disable();
    for (const file of Object.values(this.#files)) file.close();
  }

  sample(): MachineSample {
    this.#latest ??= this.#measure();
    return this.#latest;
  }

  #repeat(): void {
    this.#cancelSample = this.#options.clock.after(
      SAMPLE_MS,
      () => {
        this.#measure();
        this.#repeat();
      },
      { unref: true },
    );
  }

  #repeatGpus(): void {
    void this.#sampleGpus();
    this.#cancelGpus = this.#options.clock.after(GPU_SAMPLE_MS, () => this.#repeatGpus(), {
      unref: true,
    });
  }

  #measure(): MachineSample {
    this.#measureCpu();
    this.#askDisk();
    this.#measureLoop();
    this.#latest = {
      cpus: this.#cpus,
      cpuBusy: this.#cpuBusy,
      cpuPressure: pressure(this.#files.cpuPressure.read()),
      memBytes: this.#memBytes,
      memFreeBytes: Math.min(this.#memBytes, this.#freeMemory()),
      memPressure: pressure(this.#files.memPressure.read()),
      gpus: this.#gpus,
      diskFreeBytes: this.#diskFreeBytes,
      loopDelayMs: this.#loopDelayMs,
    };
    return this.#latest;
  }

  #measureCpu(): void {
    const ticks = cpuTicks(this.#files.stat.read()) ?? ticksOfOs();
    if (this.#ticks !== undefined) this.#cpuBusy = busyShare(this.#ticks, ticks) ?? this.#cpuBusy;
    this.#ticks = ticks;
  }

  /** What the system could give without swapping, and what our control group would let us have of it. */
  #freeMemory(): number {
    const available = memoryField(this.#files.meminfo.read(), "MemAvailable") ?? freemem();
    return Math.min(available, process.availableMemory());
  }

  /** A file system that hangs must not hang us: the last answer stays. */
  #askDisk(): void {
    if (this.#isAskingDisk) return;
    this.#isAskingDisk = true;
    statfs(this.#options.home, (error, stats) => {
      this.#isAskingDisk = false;
      if (error === null) this.#diskFreeBytes = stats.bavail * stats.bsize;
    });
  }

  /** The worst p99 of this window and the one before, so that a new window does not hide what just was. */
  #measureLoop(): void {
    const p99 = Math.max(0, this.#loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS);
    const isNewWindow = ++this.#sampleCount % LOOP_WINDOW_SAMPLES === 0;
    this.#loopDelayMs = isNewWindow ? p99 : Math.max(this.#loopDelayMs, p99);
    if (isNewWindow) this.#loop.reset();
  }

  #sampleGpus(): Promise<void> {
    const program = this.#nvidiaSmi;
    if (program === undefined) return Promise.resolve();
    this.#gpusReady ??= readGpus(program).then((gpus) => {
      this.#gpusReady = undefined;
      this.#tookGpus(gpus);
    });
    return this.#gpusReady;
  }

  #tookGpus(gpus: readonly GpuLoad[] | undefined): void {
    if (gpus !== undefined) {
      this.#gpuFailures = 0;
      this.#gpus = gpus;
      return;
    }
    this.#options.logger.warn("machine.gpus-unread", { failures: ++this.#gpuFailures });
    if (this.#gpuFailures >= GPU_FAILURES_MAX) this.#gpus = [];
  }
}

/** Once, at the start: later answers come without waiting for them. */
function freeBytesNow(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

/** Where there is no /proc: the sum over all cores. */
function ticksOfOs(): CpuTicks {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const used = times.user + times.nice + times.sys + times.irq;
    busy += used;
    total += used + times.idle;
  }
  return { busy, total };
}
