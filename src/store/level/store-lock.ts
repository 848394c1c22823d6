/**
 * One process a store. Our own lock, because LevelDB's is lost after a failed second open within one process. A lock whose process is
 * gone (or whose pid now belongs to a process that started at another time) is taken over.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../../env/random.ts";
import { MfError } from "../../model/errors.ts";

export interface StoreLock {
  release(): void;
}

/** @throws MfError STORE_IN_USE */
export function lockStore(home: string, random: Random): StoreLock {
  const path = join(home, "lock");
  const mine = `${path}.${process.pid}.${Buffer.from(random.bytes(6)).toString("hex")}`;
  const text = JSON.stringify({ pid: process.pid, started: startOf(process.pid) });
  writeFileSync(mine, text, { flag: "wx" });
  try {
    for (let tries = 0; tries < 5; tries++) {
      if (linked(mine, path)) return { release: () => releaseLock(path, text) };
      takeOverStale(home, path, `${mine}.stale`);
    }
    throw new MfError("STORE_IN_USE", { home, pid: holderOf(read(path) ?? "")?.pid ?? "?" });
  } finally {
    rmSync(mine, { force: true });
  }
}

/** A hard link appears whole or not at all: nobody reads half a lock. */
function linked(mine: string, path: string): boolean {
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function takeOverStale(home: string, path: string, aside: string): void {
  const text = read(path);
  if (text === undefined) return;
  const holder = holderOf(text);
  if (holder !== undefined && isAlive(holder)) {
    throw new MfError("STORE_IN_USE", { home, pid: holder.pid });
  }
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  // Somebody else may have taken over between reading and renaming: then what was moved is a live lock, and goes back.
  if (read(aside) !== text) linked(aside, path);
  rmSync(aside, { force: true });
}

function releaseLock(path: string, text: string): void {
  if (read(path) === text) rmSync(path, { force: true });
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

interface Holder {
  readonly pid: number;
  readonly started: string;
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Partial<Holder>;
    return typeof pid === "number" && typeof started === "string" ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return startOf(holder.pid) === holder.started;
}

/** Start time in clock ticks, where the system tells; "" elsewhere, so that only the pid counts. */
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return "";
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
