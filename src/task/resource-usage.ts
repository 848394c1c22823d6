/**
 * What the process has used, read at most every few milliseconds: reading it costs as much as a whole small attempt, and over
 * so short a time it says more of the clock's grain and of the other threads than of the attempt.
 */
import { USAGE_INTERVAL_MS } from "./task-limits.ts";

export interface ResourceUsage {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rssBytes: number;
}

let last: ResourceUsage | undefined;

/** As of now, or of at most USAGE_INTERVAL_MS ago. */
export function usageNow(): ResourceUsage {
  const atMs = performance.now();
  if (last !== undefined && atMs - last.atMs < USAGE_INTERVAL_MS) return last;
  const { user, system } = process.cpuUsage();
  last = { atMs, cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() };
  return last;
}

/** Of an attempt that took `wallMs`. One too short to have been measured ran on its thread all the time. */
export function cpuMsBetween(before: ResourceUsage, after: ResourceUsage, wallMs: number): number {
  if (wallMs < USAGE_INTERVAL_MS) return wallMs;
  return Math.min(after.cpuMs - before.cpuMs, wallMs * 2);
}
