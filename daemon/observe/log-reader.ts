/** Reads the daemon's log without the daemon: its last lines, and what is added from then on, over a rotation too. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type Clock, delay } from "../../src/env/clock.ts";
import { LOG_FILES_MAX, LOG_FOLLOW_MS, LOG_LINE_BYTES_MAX } from "./observe-limits.ts";

const PIECE_BYTES = 64 * 1024;

/** The last `count` lines, oldest first, of all the files that are kept. */
export function tailLines(path: string, count: number): string[] {
  const lines: string[] = [];
  for (let age = 0; age < LOG_FILES_MAX && lines.length < count; age++) {
    const text = readFrom(age === 0 ? path : `${path}.${age}`, 0)?.text;
    if (text === undefined) break;
    const found = text.split("\n").filter((line) => line !== "");
    lines.unshift(...found.slice(Math.max(0, found.length - (count - lines.length))));
  }
  return count === 0 ? [] : lines;
}

/** From now on, until `signal` aborts. */
export async function followLines(
  path: string,
  onLines: (lines: readonly string[]) => void,
  env: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  let at = positionOf(path);
  let rest = "";
  while (!env.signal.aborted) {
    await delay(env.clock, LOG_FOLLOW_MS, env.signal);
    const now = positionOf(path);
    if (now.inode !== at.inode) {
      // It was put aside: what was added before is in the newest of the old ones.
      const before = at.inode === undefined ? undefined : readFrom(`${path}.1`, at.bytes);
      rest = emit(rest + (before?.text ?? ""), onLines);
      at = { inode: now.inode, bytes: 0 };
    }
    const more = now.bytes === at.bytes ? undefined : readFrom(path, at.bytes);
    if (more === undefined) continue;
    at = { inode: at.inode, bytes: at.bytes + more.bytes };
    rest = emit(rest + more.text, onLines);
  }
}

/** Gives the whole lines away and keeps the beginning of the next one. */
function emit(text: string, onLines: (lines: readonly string[]) => void): string {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  const whole = lines.filter((line) => line !== "");
  if (whole.length > 0) onLines(whole);
  return rest.length > LOG_LINE_BYTES_MAX ? "" : rest;
}

interface Position {
  readonly inode: number | undefined;
  readonly bytes: number;
}

function positionOf(path: string): Position {
  try {
    const { ino, size } = statSync(path);
    return { inode: ino, bytes: size };
  } catch {
    return { inode: undefined, bytes: 0 };
  }
}

function readFrom(path: string, from: number): { text: string; bytes: number } | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const total = Math.max(0, fstatSync(file).size - from);
    const data = Buffer.alloc(total);
    let bytes = 0;
    while (bytes < total) {
      const length = Math.min(PIECE_BYTES, total - bytes);
      const got = readSync(file, data, bytes, length, from + bytes);
      if (got === 0) break;
      bytes += got;
    }
    return { text: data.toString("utf8", 0, bytes), bytes };
  } finally {
    closeSync(file);
  }
}
