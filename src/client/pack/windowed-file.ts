/** Reads a file by position, mostly front to back: small reads are served from one read ahead, for a pack has thousands of small entries. */
import type { FileHandle } from "node:fs/promises";

const WINDOW_BYTES = 1024 * 1024;

export class WindowedFile {
  readonly bytes: number;
  readonly #file: FileHandle;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;

  constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.bytes = bytes;
  }

  /** In memory of its own. @throws RangeError where the file ends before */
  async read(offset: number, bytes: number): Promise<Uint8Array> {
    if (offset + bytes > this.bytes) throw new RangeError("it ends in the middle");
    if (bytes > WINDOW_BYTES / 4) return this.#filled(offset, bytes);
    const isWithin =
      offset >= this.#windowAt && offset + bytes <= this.#windowAt + this.#window.length;
    if (!isWithin) {
      this.#window = await this.#filled(offset, Math.min(WINDOW_BYTES, this.bytes - offset));
      this.#windowAt = offset;
    }
    return this.#window.slice(offset - this.#windowAt, offset - this.#windowAt + bytes);
  }

  async #filled(offset: number, bytes: number): Promise<Uint8Array> {
    const data = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const { bytesRead } = await this.#file.read(data, at, bytes - at, offset + at);
      if (bytesRead === 0) throw new RangeError("it ends in the middle");
      at += bytesRead;
    }
    return data;
  }
}
