/** How content of any size becomes stored pieces: in the index, as one chunk, or as chunks and a manifest. */
import type { Cid } from "../model/ids.ts";
import { CHUNKED_OVER_BYTES, chunksOf } from "./chunker.ts";
import { cidOf, type Codec } from "./cid.ts";
import { encodeManifest, type ManifestChunk } from "./manifest.ts";

/** Content this small lives in the index, not in a segment. */
export const INLINE_BYTES_MAX = 16_384;

/** Takes one piece and says its id. SegmentWriter is one. */
export interface ContentSink {
  append(codec: Codec, data: Uint8Array): Cid;
}

export interface WrittenContent {
  readonly id: Cid;
  readonly bytes: number;
  /** Present where nothing was given to the sink: the caller keeps it in the index. */
  readonly inline?: Uint8Array;
}

/** The id of content, and its pieces into `sink` where it is too large for the index. */
export function writeContent(
  sink: ContentSink,
  codec: "raw" | "messagepack",
  data: Uint8Array,
): WrittenContent {
  if (data.length <= INLINE_BYTES_MAX) {
    return { id: cidOf(codec, data), bytes: data.length, inline: data };
  }
  return { id: putPieces(sink, codec, data), bytes: data.length };
}

/** As one chunk, or as chunks and a manifest, whatever its size. */
export function putPieces(sink: ContentSink, codec: "raw" | "messagepack", data: Uint8Array): Cid {
  if (data.length <= CHUNKED_OVER_BYTES) return sink.append(codec, data);
  const chunks: ManifestChunk[] = [];
  for (const chunk of chunksOf(data)) {
    chunks.push({ id: sink.append("raw", chunk), bytes: chunk.length });
  }
  const manifest = encodeManifest({ v: 1, codec, bytes: data.length, chunks });
  return sink.append("dag-json", manifest.data);
}

/** The id that content has, without storing it. */
export function contentIdOf(codec: "raw" | "messagepack", data: Uint8Array): Cid {
  return putPieces({ append: cidOf }, codec, data);
}
