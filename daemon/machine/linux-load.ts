/** What Linux says of its load, as numbers: /proc/stat, /proc/meminfo and pressure stall information. Pure. */

/** Ticks of all cores since the machine started. */
export interface CpuTicks {
  readonly busy: number;
  readonly total: number;
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal (guest time is in user already). */
export function cpuTicks(stat: string): CpuTicks | undefined {
  const line = /^cpu +([\d ]+)/.exec(stat)?.[1];
  if (line === undefined) return undefined;
  const ticks = line.trim().split(/ +/).slice(0, 8).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return { busy: total - idle, total };
}

/** Share of the time between two looks in which cores were in use; undefined where no time passed. */
export function busyShare(before: CpuTicks, after: CpuTicks): number | undefined {
  const total = after.total - before.total;
  if (total <= 0) return undefined;
  return Math.min(1, Math.max(0, (after.busy - before.busy) / total));
}

/** A field of /proc/meminfo, bytes. */
export function memoryField(meminfo: string, field: string): number | undefined {
  const kib = new RegExp(`^${field}: +(\\d+) kB`, "m").exec(meminfo)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** Share of the last ten seconds in which something waited for the resource, 0 to 1; 0 where the kernel does not say. */
export function pressure(text: string): number {
  const percent = /^some avg10=([\d.]+)/m.exec(text)?.[1];
  return percent === undefined ? 0 : Math.min(1, Number(percent) / 100);
}
