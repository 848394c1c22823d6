/** Segment files kept open between reads, so that reading a piece is one pread. The least recently used is closed first. */
import { open, type FileHandle } from "node:fs/promises";
import type { ContentPart } from "../ports.ts";

/** Far below the usual limit of 1,024 files a process. */
const OPEN_MAX = 64;

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  readers: number;
}

export class SegmentFiles {
  /** In order of use, the latest last. */
  readonly #open = new Map<string, OpenFile>();

  /** False where the segment is gone or too short. */
  async read(part: ContentPart, into: Uint8Array): Promise<boolean> {
    const file = this.#file(part.file);
    file.readers++;
    try {
      const handle = await file.handle;
      for (let at = 0; at < into.length;) {
        const { bytesRead } = await handle.read(into, at, into.length - at, part.offset + at);
        if (bytesRead === 0) return false;
        at += bytesRead;
      }
      return true;
    } catch (error) {
      if (this.#open.get(part.file) === file) this.#open.delete(part.file);
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    } finally {
      file.readers--;
      this.#closeUnused(part.file, file);
    }
  }

  /** All of them, or one. */
  async close(path?: string): Promise<void> {
    const closing = [...this.#open].filter(([name]) => path === undefined || name === path);
    for (const [name] of closing) this.#open.delete(name);
    const files = closing.map(([, file]) => file);
    await Promise.all(files.filter((file) => file.readers === 0).map(closed));
  }

  #file(path: string): OpenFile {
    const file = this.#open.get(path) ?? { handle: open(path, "r"), readers: 0 };
    this.#open.delete(path);
    this.#open.set(path, file);
    for (const [oldest, other] of this.#open) {
      if (this.#open.size <= OPEN_MAX) break;
      this.#open.delete(oldest);
      if (other.readers === 0) void closed(other);
    }
    return file;
  }

  /** A file pushed out while it was read is closed by its last reader. */
  #closeUnused(path: string, file: OpenFile): void {
    if (file.readers === 0 && this.#open.get(path) !== file) void closed(file);
  }
}

async function closed(file: OpenFile): Promise<void> {
  // Opening failed: there is nothing to close, and its readers were told.
  const handle = await file.handle.catch(() => undefined);
  await handle?.close();
}
