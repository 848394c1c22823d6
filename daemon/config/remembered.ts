/**
 * What a daemon keeps from start to start in home/daemon.json: the name it was given and where it listened, so that others find it
 * where it was, and so that one that was told to listen on loopback only does not open itself to everybody at the next start. A
 * convenience: a damaged file is as good as none.
 */
import { join } from "node:path";
import {
  makePrivateFolder,
  readPrivateFile,
  writePrivateFile,
} from "../../src/std/durable-file.ts";
import { LISTEN_MAX, NAME_CHARS_MAX, REMEMBERED_BYTES_MAX } from "./config-limits.ts";

export interface Remembered {
  readonly name?: string;
  readonly port?: number;
  /** `host:port` with the ports that were got; a file of an earlier version has `port` alone. */
  readonly listen?: readonly string[];
}

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$/;

export function readRemembered(home: string): Remembered {
  try {
    // A home that is no folder is for whoever makes it to report.
    const found = readPrivateFile(join(home, "daemon.json"), REMEMBERED_BYTES_MAX);
    if (found.t !== "read") return {};
    const value: unknown = JSON.parse(Buffer.from(found.data).toString("utf8"));
    if (typeof value !== "object" || value === null) return {};
    const { name, port, listen } = value as { name?: unknown; port?: unknown; listen?: unknown };
    return {
      ...(isName(name) ? { name } : {}),
      ...(isPort(port) ? { port } : {}),
      ...(isListen(listen) ? { listen } : {}),
    };
  } catch {
    return {};
  }
}

/** Call once the daemon listens, while it holds the home. */
export function writeRemembered(home: string, remembered: Remembered): void {
  makePrivateFolder(home);
  const { name, port, listen } = remembered;
  writePrivateFile(join(home, "daemon.json"), `${JSON.stringify({ v: 1, name, port, listen })}\n`);
}

/** The port of the first TCP address (multiaddr text). */
export function portOf(addresses: readonly string[]): number | undefined {
  for (const address of addresses) {
    const port = Number(/\/tcp\/(\d{1,5})(?:\/|$)/.exec(address)?.[1]);
    if (isPort(port)) return port;
  }
  return undefined;
}

/** What was asked for (`host:port`), with the ports that it got (multiaddr text). */
export function listenedOn(asked: readonly string[], listening: readonly string[]): string[] {
  return asked.map((text) => {
    const [, host = "", port = "0"] = ADDRESS.exec(text) ?? [];
    const isV6 = host.startsWith("[");
    const isEvery = host === "0.0.0.0" || host === "[::]";
    const plain = isV6 ? host.slice(1, -1) : host;
    const own = `/${isV6 ? "ip6" : "ip4"}/${isEvery ? "" : `${plain}/`}`;
    const got = listening.filter((address) => address.startsWith(own));
    const isAsAsked = got.some((address) => portOf([address]) === Number(port));
    return isAsAsked ? text : `${host}:${portOf(got) ?? 0}`;
  });
}

function isListen(value: unknown): value is string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > LISTEN_MAX) return false;
  return value.every((text) => typeof text === "string" && ADDRESS.test(text));
}

function isName(value: unknown): value is string {
  if (typeof value !== "string" || value.length > NAME_CHARS_MAX) return false;
  return /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(value);
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535;
}
