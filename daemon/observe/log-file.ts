/** An append-only file that is put aside when it is full: mfd.log, mfd.log.1 (newest) … Errors of the disk are counted, never thrown. */
import { closeSync, existsSync, fstatSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { LOG_FILE_BYTES_MAX, LOG_FILES_MAX } from "./observe-limits.ts";
import { makeFolder } from "../../src/std/make-folder.ts";

export interface LogFileOptions {
  readonly bytesMax?: number;
  readonly filesMax?: number;
}

export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #filesMax: number;
  #file: number | undefined;
  #bytes = 0;
  #lostCount = 0;

  constructor(path: string, options: LogFileOptions = {}) {
    this.#path = path;
    this.#bytesMax = options.bytesMax ?? LOG_FILE_BYTES_MAX;
    this.#filesMax = options.filesMax ?? LOG_FILES_MAX;
  }

  /** Lines that a full or failing disk swallowed since it was last asked. */
  takeLostCount(): number {
    const count = this.#lostCount;
    this.#lostCount = 0;
    return count;
  }

  /** One write a line, so that a crash loses at most what the kernel had not taken, and a reader never sees lines mixed. */
  append(line: string): boolean {
    const data = Buffer.from(`${line}\n`);
    try {
      if (this.#file !== undefined && this.#bytes + data.length > this.#bytesMax) this.#putAside();
      const file = this.#open();
      this.#bytes += writeSync(file, data);
      return true;
    } catch {
      this.#lostCount += 1;
      this.close();
      return false;
    }
  }

  close(): void {
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    try {
      closeSync(file);
    } catch {
      // Nothing is left to lose.
    }
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file;
    makeFolder(dirname(this.#path), 0o700);
    this.#file = openSync(this.#path, "a", 0o600);
    this.#bytes = fstatSync(this.#file).size;
    return this.#file;
  }

  #putAside(): void {
    this.close();
    for (let age = this.#filesMax - 1; age > 0; age--) {
      const older = age === 1 ? this.#path : `${this.#path}.${age - 1}`;
      if (existsSync(older)) renameSync(older, `${this.#path}.${age}`);
    }
  }
}
