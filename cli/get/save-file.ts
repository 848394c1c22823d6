/** A file that is there whole or not at all: written beside its place and moved there. Ctrl-C, an error or a full disk leave nothing. */
import { randomUUID } from "node:crypto";
import { link, lstat, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MfError } from "../../src/model/errors.ts";

export type Pieces = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

export interface Saving {
  /** Replaces what is there. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

/** @throws MfError USAGE, INTERRUPTED and what `pieces` throws */
export async function saveFile(path: string, pieces: Pieces, saving: Saving): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  // A pipe or a device is no place for a file: it takes the bytes themselves.
  const isOther = there !== undefined && (await isDevice(path));
  if (isOther) return writeInto(path, pieces, saving);
  if (there !== undefined && !saving.force) throw existsError(path);
  const beside = join(dirname(path), besideName(path));
  try {
    await writeInto(beside, pieces, saving);
    if (saving.force) await rename(beside, path);
    else await moveToFree(beside, path);
  } catch (error) {
    throw saveError(error, path);
  } finally {
    await removeBeside(beside);
  }
}

/** Hidden, so that a glob over a directory never takes it for a result. */
export function besideName(path: string): string {
  return `.${basename(path).slice(0, 100)}.${randomUUID().slice(0, 8)}.part`;
}

/** Below a file there is nothing to remove, which `force` does not forgive. */
export async function removeBeside(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOTDIR") throw error;
  }
}

export function existsError(path: string): MfError {
  return new MfError("USAGE", {
    message: `${path} exists. To replace it pass --force.`,
    command: "get",
  });
}

/** What the system said of a place to write to. */
export function saveError(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (error instanceof MfError || typeof code !== "string") return error;
  const reason =
    code === "ENOENT"
      ? "its directory does not exist"
      : code === "ENOSPC" || code === "EDQUOT"
        ? "the disk is full"
        : code === "EISDIR" || code === "ENOTEMPTY"
          ? "a directory is there"
          : code === "ENOTDIR" || code === "EEXIST"
            ? "a file is there"
            : code;
  return new MfError("USAGE", {
    message: `-o ${path} cannot be written: ${reason}.`,
    command: "get",
  });
}

/** A link fails where something is; a rename would replace what came there meanwhile. */
async function moveToFree(beside: string, path: string): Promise<void> {
  try {
    await link(beside, path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") throw existsError(path);
    // Some file systems have no links.
    await rename(beside, path);
  }
}

async function isDevice(path: string): Promise<boolean> {
  // What stands behind these names depends on who looks: to a program that writes they are never a place for a file.
  if (/^\/(?:dev|proc)\//.test(path)) return true;
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && !facts.isFile() && !facts.isDirectory();
}

/** Where nobody looks yet, or where nothing can be moved to. */
export async function writeInto(
  path: string,
  pieces: Pieces,
  { signal, onBytes }: Saving,
): Promise<void> {
  const file = await open(path, "w");
  try {
    for await (const piece of pieces) {
      if (signal.aborted) throw new MfError("INTERRUPTED");
      const data = typeof piece === "string" ? Buffer.from(piece) : piece;
      for (let at = 0; at < data.length;)
        at += (await file.write(data, at, Math.min(WRITE_BYTES_MAX, data.length - at)))
          .bytesWritten;
      onBytes(data.length);
    }
  } finally {
    await file.close();
  }
  if (signal.aborted) throw new MfError("INTERRUPTED");
}

/** One write to the system takes less than 2 GiB. */
const WRITE_BYTES_MAX = 256 * 1024 * 1024;
