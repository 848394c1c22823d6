/** Where a store keeps what, and making it: home/{lock, store/index, store/segments/*.seg, store/ballast, scratch/}. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MfError } from "../../model/errors.ts";
import { makeFolder } from "../../std/make-folder.ts";
import { isDiskFull } from "../../std/disk-full.ts";

export interface StoreLayout {
  readonly home: string;
  readonly index: string;
  readonly segments: string;
  readonly ballast: string;
  readonly scratch: string;
}

export function layoutOf(home: string): StoreLayout {
  const store = join(home, "store");
  return {
    home,
    index: join(store, "index"),
    segments: join(store, "segments"),
    ballast: join(store, "ballast"),
    scratch: join(home, "scratch"),
  };
}

/** @throws MfError STORE_UNWRITABLE, STORE_FULL */
export function makeDirectories(layout: StoreLayout): void {
  guarded(layout.home, () => {
    makeFolder(layout.segments);
    makeFolder(layout.scratch);
  });
}

/** What earlier processes left. Only under the lock. */
export function sweepScratch(layout: StoreLayout): void {
  guarded(layout.home, () => {
    rmSync(layout.scratch, { recursive: true, force: true });
    mkdirSync(layout.scratch);
  });
}

/** System errors of `work` as what they mean for the store. */
export function guarded<T>(home: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof MfError) throw error;
    if (isDiskFull(error)) throw new MfError("STORE_FULL", { home }, { cause: error });
    throw new MfError("STORE_UNWRITABLE", { home, reason: reasonOf(error) }, { cause: error });
  }
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** The disk or the index refused a write: nothing written after it can be trusted. A batch that is wrong is none of these. */
export function isWriteError(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof MfError) return false;
  const { code } = error as NodeJS.ErrnoException;
  const isOfSystem = code !== undefined && WRITE_ERRORS.has(code);
  return isOfSystem || isDiskFull(error) || (code?.startsWith("LEVEL_") ?? false);
}

const WRITE_ERRORS = new Set(["ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG", "ENOTRECOVERABLE"]);
