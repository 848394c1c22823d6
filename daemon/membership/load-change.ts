/**
 * When a new load record is worth telling: each value must leave the neighbourhood of what was told last (hysteresis), so a machine
 * that hovers between two buckets says nothing.
 */
import type { LoadRecord } from "../../src/model/peer.ts";

/** Share of the whole by which a measured value must differ. */
const SHARE = 0.1;
/** Disks are big and slow to fill. */
const DISK_SHARE = 0.05;
/** Below this the delay of a loop says nothing, ms. */
const LOOP_DELAY_FLOOR_MS = 20;

export function isWorthTelling(told: LoadRecord | undefined, now: LoadRecord): boolean {
  if (told === undefined) return true;
  return (
    told.cpus !== now.cpus ||
    told.memBytes !== now.memBytes ||
    told.store !== now.store ||
    told.isAccepting !== now.isAccepting ||
    told.slots.total !== now.slots.total ||
    told.slots.busy !== now.slots.busy ||
    isQueueMoved(told.queue, now.queue) ||
    Math.abs(told.cpuBusy - now.cpuBusy) > SHARE ||
    Math.abs(told.memFreeBytes - now.memFreeBytes) > SHARE * now.memBytes ||
    Math.abs(told.diskFreeBytes - now.diskFreeBytes) >
      DISK_SHARE * Math.max(told.diskFreeBytes, now.diskFreeBytes) ||
    isLoopMoved(told.loopDelayMs, now.loopDelayMs) ||
    areGpusMoved(told, now)
  );
}

/** Whether there is a queue matters most; then by a quarter. */
function isQueueMoved(told: number, now: number): boolean {
  return (told === 0) !== (now === 0) || Math.abs(told - now) > Math.max(told, now) / 4;
}

function isLoopMoved(told: number, now: number): boolean {
  const a = Math.max(told, LOOP_DELAY_FLOOR_MS);
  const b = Math.max(now, LOOP_DELAY_FLOOR_MS);
  return a >= 2 * b || b >= 2 * a;
}

function areGpusMoved(told: LoadRecord, now: LoadRecord): boolean {
  if (told.gpus.length !== now.gpus.length) return true;
  return now.gpus.some((gpu, i) => {
    const before = told.gpus[i];
    return (
      before === undefined ||
      before.uuid !== gpu.uuid ||
      Math.abs(before.memFreeBytes - gpu.memFreeBytes) > SHARE * gpu.memBytes ||
      Math.abs(before.busy - gpu.busy) > SHARE
    );
  });
}
