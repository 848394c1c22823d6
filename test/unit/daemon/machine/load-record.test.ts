import assert from "node:assert/strict";
import { test } from "node:test";
import { takeInventory } from "../../../../daemon/machine/inventory.ts";
import {
  busyShare,
  cpuTicks,
  memoryField,
  pressure,
} from "../../../../daemon/machine/linux-load.ts";
import { loadRecordOf } from "../../../../daemon/machine/load-record.ts";
import type { MachineSample } from "../../../../daemon/machine/machine.ts";
import { parseGpus } from "../../../../daemon/machine/nvidia-smi.ts";
import { systemClock } from "../../../../src/env/clock.ts";

const GIB = 1024 ** 3;
const sample: MachineSample = {
  cpus: 3.999,
  cpuBusy: 0.31,
  cpuPressure: 0.02,
  memBytes: 32 * GIB,
  memFreeBytes: 9.7 * GIB,
  memPressure: 0,
  gpus: [{ uuid: "GPU-1", name: "A", memBytes: 32 * GIB, memFreeBytes: 3.5 * GIB, busy: 0.11 }],
  diskFreeBytes: 100 * GIB + 5,
  loopDelayMs: 11,
};
const local = {
  slots: { total: 4, busy: 1 },
  queue: 2,
  store: { state: "rw", freeBytes: 80 * GIB + 5 },
  isAccepting: true,
} as const;

test("a sample is rounded to the careful side", () => {
  assert.deepEqual(loadRecordOf(sample, local), {
    cpus: 4,
    cpuBusy: 0.35,
    memBytes: 32 * GIB,
    memFreeBytes: 9 * GIB,
    gpus: [{ uuid: "GPU-1", name: "A", memBytes: 32 * GIB, memFreeBytes: 3 * GIB, busy: 0.2 }],
    diskFreeBytes: 80 * GIB,
    store: "rw",
    slots: { total: 4, busy: 1 },
    queue: 2,
    loopDelayMs: 8,
    isAccepting: true,
  });
});

test("who cannot store accepts nothing", () => {
  const full = { ...local, store: { state: "full", freeBytes: 0 } } as const;
  assert.equal(loadRecordOf(sample, full).isAccepting, false);
});

test("rounding what is rounded changes nothing", () => {
  const once = loadRecordOf(sample, local);
  const again = loadRecordOf({ ...sample, ...once, cpuPressure: 0, gpus: once.gpus }, local);
  assert.deepEqual(again, once);
});

test("what Linux says is read, and what it does not say is nothing", () => {
  assert.deepEqual(cpuTicks("cpu  1 2 3 4 5 6 7 8 9 10\n"), { busy: 27, total: 36 });
  assert.equal(cpuTicks(""), undefined);
  assert.equal(busyShare({ busy: 1, total: 2 }, { busy: 1, total: 2 }), undefined);
  assert.equal(memoryField("MemTotal:   12 kB\n", "MemAvailable"), undefined);
  assert.equal(pressure(""), 0);
  assert.equal(pressure("some avg10=250.00 avg60=0"), 1);
});

test("lines of nvidia-smi that are no GPU are left out", () => {
  assert.deepEqual(
    parseGpus("NVIDIA-SMI has failed because it could not talk to the driver.\n\n"),
    [],
  );
  assert.deepEqual(parseGpus("No devices were found\n"), []);
});

test("systeminformation answers from its thread", async () => {
  const inventory = await takeInventory({
    clock: systemClock,
    cpus: 1,
    memBytes: 1,
    gpus: [],
    isAskingSystem: true,
  });
  assert.notEqual(inventory.cpuModel, "");
  assert.notEqual(inventory.os, "");
});
