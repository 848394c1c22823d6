/**
 * What a daemon keeps from start to start in home/daemon.json: the name it was given and the port it got, so that others find it where
 * it was. A convenience: a damaged file is as good as none.
 */
import { join } from "node:path";
import {
  makePrivateFolder,
  readPrivateFile,
  writePrivateFile,
} from "../../src/std/durable-file.ts";
import { NAME_CHARS_MAX, REMEMBERED_BYTES_MAX } from "./config-limits.ts";

export interface Remembered {
  readonly name?: string;
  readonly port?: number;
}

export function readRemembered(home: string): Remembered {
  const found = readPrivateFile(join(home, "daemon.json"), REMEMBERED_BYTES_MAX);
  if (found.t !== "read") return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(found.data).toString("utf8"));
    if (typeof value !== "object" || value === null) return {};
    const { name, port } = value as { name?: unknown; port?: unknown };
    return { ...(isName(name) ? { name } : {}), ...(isPort(port) ? { port } : {}) };
  } catch {
    return {};
  }
}

/** Call once the daemon listens, while it holds the home. */
export function writeRemembered(home: string, remembered: Remembered): void {
  makePrivateFolder(home);
  const { name, port } = remembered;
  writePrivateFile(join(home, "daemon.json"), `${JSON.stringify({ v: 1, name, port })}\n`);
}

/** The port of the first TCP address (multiaddr text). */
export function portOf(addresses: readonly string[]): number | undefined {
  for (const address of addresses) {
    const port = Number(/\/tcp\/(\d{1,5})(?:\/|$)/.exec(address)?.[1]);
    if (isPort(port)) return port;
  }
  return undefined;
}

function isName(value: unknown): value is string {
  if (typeof value !== "string" || value.length > NAME_CHARS_MAX) return false;
  return /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(value);
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535;
}
