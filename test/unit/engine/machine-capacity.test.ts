import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { machineCapacity } from "../../../src/engine/machine-capacity.ts";

test("the smallest cpu quota around us counts, and every GPU the driver lists", (t) => {
  const root = mkdtempSync(join(tmpdir(), "mf-capacity-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "cgroup", "lab", "job"), { recursive: true });
  mkdirSync(join(root, "gpus", "0000:01:00.0"), { recursive: true });
  mkdirSync(join(root, "gpus", "0000:02:00.0"));
  writeFileSync(join(root, "cgroup", "lab", "cpu.max"), "150000 100000\n");
  writeFileSync(join(root, "cgroup", "lab", "job", "cpu.max"), "max 100000\n");
  writeFileSync(join(root, "own"), "0::/lab/job\n");
  const capacity = machineCapacity({
    cgroupRoot: join(root, "cgroup"),
    ownCgroup: join(root, "own"),
    gpus: join(root, "gpus"),
  });
  assert.equal(capacity.cores, Math.min(1.5, availableParallelism()));
  assert.equal(capacity.gpus, 2);
  assert.ok(capacity.memBytes > 0 && capacity.memBytes <= totalmem());
});

test("without control groups and a driver there are the machine's cores and no GPU", () => {
  const files = { cgroupRoot: "/nowhere", ownCgroup: "/nowhere/own", gpus: "/nowhere/gpus" };
  assert.deepEqual(machineCapacity(files), { ...machineCapacity(files), gpus: 0 });
  assert.equal(machineCapacity(files).cores, availableParallelism());
});
