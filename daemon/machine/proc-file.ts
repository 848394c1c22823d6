/** A small file of /proc that is read again and again: kept open, one system call each time. Absent on other systems. */
import { closeSync, openSync, readSync } from "node:fs";
import { PROC_BYTES_MAX } from "./machine-limits.ts";

export class ProcFile {
  readonly #path: string;
  readonly #buffer = Buffer.allocUnsafe(PROC_BYTES_MAX);
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Its first PROC_BYTES_MAX bytes; empty where there is no such file. */
  read(): string {
    try {
      this.#fd ??= openSync(this.#path, "r");
      return this.#buffer.toString(
        "latin1",
        0,
        readSync(this.#fd, this.#buffer, 0, PROC_BYTES_MAX, 0),
      );
    } catch {
      this.close();
      return "";
    }
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) closeSync(fd);
  }
}
