/**
 * Small files that must survive a power cut and be read by nobody else: written beside the old one, synced, renamed over it, and the
 * folder synced. A reader sees the old file or the new one, never half of one.
 */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { makeFolder } from "./make-folder.ts";

/** Read and written by their owner only. */
const PRIVATE_FILE_MODE = 0o600;
const PRIVATE_FOLDER_MODE = 0o700;
const OTHERS_MAY = 0o077;

export function makePrivateFolder(folder: string): void {
  makeFolder(folder, PRIVATE_FOLDER_MODE);
}

/** Durable when it returns. One writer a file. */
export function writePrivateFile(path: string, data: Uint8Array | string): void {
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const file = openSync(beside, "wx", PRIVATE_FILE_MODE);
  try {
    writeFileSync(file, data);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncFolder(dirname(path));
}

export type PrivateFile =
  | { readonly t: "missing" }
  /** Others may read or write it: what it says can be neither secret nor trusted. */
  | { readonly t: "exposed"; readonly mode: string }
  | { readonly t: "too-big"; readonly bytes: number }
  | { readonly t: "read"; readonly data: Uint8Array };

/** Looks at the opened file, so that what is checked is what is read. */
export function readPrivateFile(path: string, bytesMax: number): PrivateFile {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { t: "missing" };
    throw error;
  }
  try {
    const facts = fstatSync(file);
    // Windows has no such bits: there the home's own rights protect it.
    if (process.platform !== "win32" && (facts.mode & OTHERS_MAY) !== 0) {
      return { t: "exposed", mode: (facts.mode & 0o777).toString(8) };
    }
    if (facts.size > bytesMax) return { t: "too-big", bytes: facts.size };
    return { t: "read", data: new Uint8Array(readFileSync(file)) };
  } finally {
    closeSync(file);
  }
}

/** A rename is durable once its folder is. Windows cannot sync a folder and does not need to. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
