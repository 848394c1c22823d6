import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createMachine, type Machine } from "../../../../daemon/machine/machine.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

interface Lab {
  readonly root: string;
  readonly clock: ManualClock;
  readonly warnings: string[];
  machine(options?: { searchPath?: string; cpus?: number; memBytes?: number }): Machine;
}

function lab(t: TestContext): Lab {
  const root = mkdtempSync(join(tmpdir(), "mf-machine-"));
  const clock = new ManualClock();
  const warnings: string[] = [];
  mkdirSync(join(root, "proc", "pressure"), { recursive: true });
  mkdirSync(join(root, "bin"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return {
    root,
    clock,
    warnings,
    machine(options) {
      const machine = createMachine({
        clock,
        logger: { ...silentLogger, warn: (event) => warnings.push(event) },
        home: root,
        procRoot: join(root, "proc"),
        controlGroup: { cgroupRoot: join(root, "cgroup"), ownCgroup: join(root, "own") },
        searchPath: join(root, "bin"),
        ...options,
      });
      t.after(() => machine.stop());
      return machine;
    },
  };
}

/** A nvidia-smi of our own. */
function program({ root }: Lab, script: string): void {
  writeFileSync(join(root, "bin", "nvidia-smi"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

test("cores in use are the share of ticks between two samples, memory what is available", (t) => {
  const here = lab(t);
  const stat = join(here.root, "proc", "stat");
  writeFileSync(stat, "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n");
  writeFileSync(
    join(here.root, "proc", "meminfo"),
    "MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:    4000 kB\n",
  );
  writeFileSync(
    join(here.root, "proc", "pressure", "cpu"),
    "some avg10=12.50 avg60=1.00 avg300=0 total=1\n",
  );
  const machine = here.machine();
  machine.start();
  writeFileSync(stat, "cpu  150 0 125 720 105 0 0 0 50 0\ncpu0 1 2 3\n");
  here.clock.advance(1000);
  const sample = machine.sample();
  assert.equal(sample.cpuBusy, 0.75);
  assert.equal(sample.memFreeBytes, 4000 * 1024);
  assert.equal(sample.cpuPressure, 0.125);
  assert.ok(sample.diskFreeBytes > 0);
});

test("a control group of version 1 or 2, and --cpus, bound the cores", (t) => {
  const here = lab(t);
  writeFileSync(join(here.root, "own"), "3:cpu,cpuacct:/lab\n0::/lab/mesh\n");
  mkdirSync(join(here.root, "cgroup", "lab", "mesh"), { recursive: true });
  writeFileSync(join(here.root, "cgroup", "lab", "cpu.max"), "150000 100000\n");
  writeFileSync(join(here.root, "cgroup", "lab", "mesh", "cpu.max"), "max 100000\n");
  assert.equal(here.machine().sample().cpus, Math.min(1.5, availableParallelism()));
  assert.equal(here.machine({ cpus: 0.25 }).sample().cpus, 0.25);
  mkdirSync(join(here.root, "cgroup", "cpu,cpuacct", "lab"), { recursive: true });
  writeFileSync(join(here.root, "cgroup", "cpu,cpuacct", "lab", "cpu.cfs_quota_us"), "50000\n");
  writeFileSync(join(here.root, "cgroup", "cpu,cpuacct", "lab", "cpu.cfs_period_us"), "100000\n");
  assert.equal(here.machine().sample().cpus, 0.5);
});

test("without /proc the operating system's own numbers do", (t) => {
  const here = lab(t);
  const machine = here.machine({ memBytes: 1024 });
  machine.start();
  here.clock.advance(3000);
  const { cpuBusy, memBytes, memFreeBytes } = machine.sample();
  assert.ok(cpuBusy >= 0 && cpuBusy <= 1);
  assert.deepEqual([memBytes, memFreeBytes], [1024, 1024]);
});

test("GPUs are what nvidia-smi says, and gone after it failed three times", async (t) => {
  const here = lab(t);
  program(
    here,
    'echo "0, GPU-aa, NVIDIA A100-SXM4-40GB, 40960, 10240, 37, 41"\necho "1, GPU-bb, NVIDIA A100-SXM4-40GB, 40960, [N/A], [N/A], N/A"',
  );
  const machine = here.machine();
  const inventory = await machine.inventory();
  assert.deepEqual(
    inventory.gpus.map(({ name }) => name),
    ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-SXM4-40GB"],
  );
  machine.start();
  const [first, second] = machine.sample().gpus;
  assert.deepEqual(first, {
    uuid: "GPU-aa",
    name: "NVIDIA A100-SXM4-40GB",
    memBytes: 40_960 * 1024 ** 2,
    memFreeBytes: 30_720 * 1024 ** 2,
    busy: 0.37,
  });
  assert.equal(second?.memFreeBytes, 40_960 * 1024 ** 2);
  program(here, "exit 9");
  // The look that start() began may still be under way, and succeed.
  while (here.warnings.length < 3) {
    here.clock.advance(10_000);
    await turn();
  }
  here.clock.advance(1000);
  assert.deepEqual(machine.sample().gpus, []);
});

test("the inventory names the processor, the system and what may be used", async (t) => {
  const inventory = await lab(t).machine({ cpus: 1 }).inventory();
  assert.equal(inventory.cpus, 1);
  assert.ok(inventory.cores >= 1);
  assert.equal(inventory.platform, `${process.platform}-${process.arch}`);
  assert.notEqual(inventory.os, "");
});
