/**
 * What steps print, as NDJSON: one record a line, appended by the worker with O_APPEND at the moment of printing, so that it
 * survives a crash of the process and lines of concurrent workers never mix.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { isDiskFull } from "../std/disk-full.ts";
import { LOG_BYTES_MAX, LOG_PIECE_CHARS_MAX } from "./task-limits.ts";

export interface LogRecord {
  /** ms since 1970. */
  readonly t: number;
  /** The task's index path: "" or "3,1". */
  readonly i: string;
  /** Attempt, from 0. */
  readonly a: number;
  readonly s: "out" | "err";
  readonly m: string;
  /** The line goes on in the next record of this attempt and stream. */
  readonly c?: true;
}

export type LogStream = "out" | "err";

interface OpenLine {
  text: string;
  /** Of bytes: a character may be cut by the end of a chunk. */
  decoder?: StringDecoder;
}

/** The log of one attempt: cuts what is printed into lines, long lines into pieces, and stops at LOG_BYTES_MAX. */
export class AttemptLog {
  readonly #file: LogFile;
  readonly #index: string;
  readonly #attempt: number;
  readonly #lines: Readonly<Record<LogStream, OpenLine>> = {
    out: { text: "" },
    err: { text: "" },
  };
  #bytes = 0;
  #isFull = false;

  constructor(file: LogFile, index: readonly number[], attempt: number) {
    this.#file = file;
    this.#index = index.join(",");
    this.#attempt = attempt;
  }

  write(stream: LogStream, chunk: string | Uint8Array): void {
    if (this.#isFull) return;
    const line = this.#lines[stream];
    if (typeof chunk === "string") line.text += chunk;
    else line.text += (line.decoder ??= new StringDecoder("utf8")).write(Buffer.from(chunk));
    const parts = line.text.split("\n");
    line.text = parts.pop() ?? "";
    let records = parts.map((text) => this.#pieces(stream, text)).join("");
    while (line.text.length > LOG_PIECE_CHARS_MAX) {
      records += this.#record(stream, line.text.slice(0, LOG_PIECE_CHARS_MAX), true);
      line.text = line.text.slice(LOG_PIECE_CHARS_MAX);
    }
    this.#append(records);
  }

  /** Writes the lines that have no end yet. */
  end(): void {
    for (const stream of ["out", "err"] as const) {
      const { text } = this.#lines[stream];
      this.#lines[stream].text = "";
      if (text !== "") this.#append(this.#pieces(stream, text));
    }
  }

  #pieces(stream: LogStream, text: string): string {
    let records = "";
    let at = 0;
    for (; text.length - at > LOG_PIECE_CHARS_MAX; at += LOG_PIECE_CHARS_MAX) {
      records += this.#record(stream, text.slice(at, at + LOG_PIECE_CHARS_MAX), true);
    }
    return records + this.#record(stream, text.slice(at), false);
  }

  #record(s: LogStream, m: string, isContinued: boolean): string {
    const record: LogRecord = { t: Date.now(), i: this.#index, a: this.#attempt, s, m };
    return `${JSON.stringify(isContinued ? { ...record, c: true } : record)}\n`;
  }

  #append(records: string): void {
    if (records === "" || this.#isFull) return;
    const bytes = Buffer.from(records);
    const room = LOG_BYTES_MAX - this.#bytes;
    // Whole records only: a record cut in the middle could not be parsed.
    const kept =
      bytes.length <= room ? bytes : bytes.subarray(0, bytes.lastIndexOf(10, room - 1) + 1);
    this.#bytes += kept.length;
    this.#file.append(kept);
    if (kept.length === bytes.length) return;
    this.#isFull = true;
    this.#file.append(
      Buffer.from(this.#record("err", `log cut here: over ${LOG_BYTES_MAX} bytes`, false)),
    );
  }
}

/** The log of a batch; opened when something is printed. */
export class LogFile {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** On a full disk what a step prints is lost, and not the step. */
  append(bytes: Uint8Array): void {
    try {
      this.#fd ??= openSync(this.#path, "a");
      writeAll(this.#fd, bytes);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}
