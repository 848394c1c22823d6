/** What a run's steps printed on this machine: pages of records from its files, and records joined to the lines they were cut from. */
import { readdir } from "node:fs/promises";
import { logDirectoryOf, logFileOf } from "../engine/run/log-file.ts";
import type { RunRef } from "../model/ids.ts";
import type { LogRecord } from "../task/log-record.ts";
import { readLog } from "../task/read-log.ts";

const SUFFIX = ".ndjson";
/** Looked through for one page; a reader whose task prints little asks again. */
const SCAN_BYTES_MAX = 8 * 1024 * 1024;

export interface LogPageRequest {
  readonly step: string;
  readonly index?: readonly number[];
  /** Byte offset, as given by `next` of an earlier page. */
  readonly from: number;
  readonly bytesMax: number;
  readonly recordsMax: number;
}

export interface LogPage {
  readonly records: readonly LogRecord[];
  readonly next: number;
  /** Nothing more is there now. */
  readonly isEnd: boolean;
}

/** The steps that printed anything here. */
export async function loggedSteps(home: string, run: RunRef): Promise<string[]> {
  const files = await readdir(logDirectoryOf(home, run)).catch((): string[] => []);
  return files
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => decodeURIComponent(file.slice(0, -SUFFIX.length)))
    .sort();
}

export async function readLogPage(
  home: string,
  run: RunRef,
  request: LogPageRequest,
): Promise<LogPage> {
  const { step, from, bytesMax, recordsMax } = request;
  const index = request.index?.join(",");
  const records: LogRecord[] = [];
  let next = from;
  let bytes = 0;
  for await (const line of readLog(logFileOf(home, run, step), { from })) {
    const size = line.next - next;
    const isWanted = index === undefined || line.i === index;
    if (isWanted && records.length > 0 && bytes + size > bytesMax)
      return { records, next, isEnd: false };
    next = line.next;
    if (isWanted) {
      const { t, i, a, s, m, c } = line;
      records.push({ t, i, a, s, m, ...(c === undefined ? {} : { c }) });
      bytes += size;
    }
    if (records.length >= recordsMax || next - from > SCAN_BYTES_MAX)
      return { records, next, isEnd: false };
  }
  return { records, next, isEnd: true };
}

/** A whole line, however many records it was cut into. */
export interface StepLine {
  readonly at: number;
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly stream: "out" | "err";
  readonly text: string;
}

interface OpenLine {
  readonly first: LogRecord;
  readonly pieces: string[];
}

/** Joins the records of one step's file. */
export class LineJoiner {
  readonly #step: string;
  /** By task, attempt and stream. */
  readonly #open = new Map<string, OpenLine>();

  constructor(step: string) {
    this.#step = step;
  }

  /** The line that this record ends, if it ends one. */
  add(record: LogRecord): StepLine | undefined {
    const key = `${record.i}/${record.a}/${record.s}`;
    const open = this.#open.get(key) ?? { first: record, pieces: [] };
    open.pieces.push(record.m);
    if (record.c === true) {
      this.#open.set(key, open);
      return undefined;
    }
    this.#open.delete(key);
    return this.#line(open);
  }

  /** What an attempt printed before it was killed may end in the middle of a line. */
  end(): StepLine[] {
    const lines = [...this.#open.values()].map((open) => this.#line(open));
    this.#open.clear();
    return lines;
  }

  #line({ first, pieces }: OpenLine): StepLine {
    return {
      at: first.t,
      step: this.#step,
      index: first.i === "" ? [] : first.i.split(",").map(Number),
      attempt: first.a,
      stream: first.s,
      text: pieces.join(""),
    };
  }
}
