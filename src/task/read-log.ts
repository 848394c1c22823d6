/** Reads a step's log back: all of it, or one task's, from any offset, so that a follower can go on where it stopped. */
import { open } from "node:fs/promises";
import type { LogRecord } from "./log-record.ts";

export interface LogFilter {
  /** Index path of the task; undefined: all tasks. */
  readonly index?: readonly number[];
  readonly attempt?: number;
  readonly stream?: "out" | "err";
  /** Byte offset to start from, as given by `next` of an earlier record. */
  readonly from?: number;
}

export interface LogLine extends LogRecord {
  /** Byte offset behind this record. */
  readonly next: number;
}

const READ_BYTES = 256 * 1024;

/** A missing file is an empty log; a last record without its newline is not there yet. */
export async function* readLog(file: string, filter: LogFilter = {}): AsyncGenerator<LogLine> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    let next = filter.from ?? 0;
    let at = next;
    let rest = Buffer.alloc(0);
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        next += end + 1;
        const record = parseRecord(rest.toString("utf8", 0, end));
        rest = rest.subarray(end + 1);
        if (record !== undefined && fits(record, filter)) yield { ...record, next };
      }
    }
  } finally {
    await handle.close();
  }
}

function fits(record: LogRecord, filter: LogFilter): boolean {
  if (filter.index !== undefined && record.i !== filter.index.join(",")) return false;
  if (filter.attempt !== undefined && record.a !== filter.attempt) return false;
  return filter.stream === undefined || record.s === filter.stream;
}

/** A line torn by a full disk is passed over: the rest of the log is still worth reading. */
function parseRecord(line: string): LogRecord | undefined {
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return undefined;
  }
}
