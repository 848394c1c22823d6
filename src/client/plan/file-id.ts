/** The id that a file would have in the store, without storing it. */
import { open } from "node:fs/promises";
import { CHUNK_BYTES_MAX, CHUNKED_OVER_BYTES, chunkLength } from "../../artifact/chunker.ts";
import { cidOf } from "../../artifact/cid.ts";
import { encodeManifest, type ManifestChunk } from "../../artifact/manifest.ts";
import type { Cid } from "../../model/ids.ts";

/** A cut needs all bytes up to CHUNK_BYTES_MAX; more at a time means fewer moves. */
const WINDOW_BYTES = 4 * CHUNK_BYTES_MAX;

/** Never holds more than a window of it. @throws what the file system throws */
export async function fileId(path: string): Promise<{ readonly id: Cid; readonly bytes: number }> {
  const file = await open(path);
  try {
    const window = Buffer.allocUnsafe(WINDOW_BYTES);
    const chunks: ManifestChunk[] = [];
    let held = 0;
    let bytes = 0;
    let isOver = false;
    for (;;) {
      while (!isOver && held < WINDOW_BYTES) {
        const { bytesRead } = await file.read(window, held, WINDOW_BYTES - held);
        isOver = bytesRead === 0;
        held += bytesRead;
      }
      if (isOver && bytes === 0 && held <= CHUNKED_OVER_BYTES)
        return { id: cidOf("raw", window.subarray(0, held)), bytes: held };
      if (held === 0) break;
      let at = 0;
      const last = isOver ? held : held - CHUNK_BYTES_MAX + 1;
      while (at < last) {
        const length = chunkLength(window.subarray(0, held), at);
        chunks.push({ id: cidOf("raw", window.subarray(at, at + length)), bytes: length });
        at += length;
        bytes += length;
      }
      window.copyWithin(0, at, held);
      held -= at;
    }
    const manifest = encodeManifest({ v: 1, codec: "raw", bytes, chunks });
    return { id: cidOf("dag-json", manifest.data), bytes };
  } finally {
    await file.close();
  }
}
