/** What an artifact that was cut into chunks consists of: canonical dag-json, whose CID is the artifact's id. */
import { MfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import { CHUNK_BYTES_MAX } from "./chunker.ts";
import { cidOf, parseCid } from "./cid.ts";

export interface Manifest {
  readonly v: 1;
  /** Codec of the whole. The chunks are raw. */
  readonly codec: "raw" | "messagepack";
  readonly bytes: number;
  readonly chunks: readonly ManifestChunk[];
}

export interface ManifestChunk {
  readonly id: Cid;
  readonly bytes: number;
}

/** Keys sorted, no blanks, links as `{"/":cid}` alone: what dag-json asks for. */
export function encodeManifest(manifest: Manifest): { id: Cid; data: Uint8Array } {
  const chunks = manifest.chunks.map(({ id, bytes }) => ({ bytes, id: { "/": id } }));
  const text = JSON.stringify({ bytes: manifest.bytes, chunks, codec: manifest.codec, v: 1 });
  const data = new TextEncoder().encode(text);
  return { id: cidOf("dag-json", data), data };
}

/** @throws MfError CONTENT_MALFORMED */
export function decodeManifest(data: Uint8Array): Manifest {
  const manifest = manifestOf(parse(data));
  const again = encodeManifest(manifest).data;
  if (Buffer.compare(again, data) !== 0) throw malformed("a manifest that is not canonical");
  return manifest;
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    throw malformed("a manifest that is not JSON");
  }
}

function manifestOf(value: unknown): Manifest {
  const { v, codec, bytes, chunks } = (value ?? {}) as Record<string, unknown>;
  if (v !== 1 || (codec !== "raw" && codec !== "messagepack") || !Array.isArray(chunks)) {
    throw malformed("a manifest of an unknown form");
  }
  const list = chunks.map(chunkOf);
  const total = list.reduce((sum, chunk) => sum + chunk.bytes, 0);
  if (bytes !== total) throw malformed("a manifest whose chunks do not add up");
  return { v, codec, bytes: total, chunks: list };
}

function chunkOf(value: unknown): ManifestChunk {
  const { id: link, bytes } = (value ?? {}) as { id?: { "/"?: unknown }; bytes?: unknown };
  const id = link?.["/"];
  if (typeof id !== "string" || typeof bytes !== "number" || !Number.isSafeInteger(bytes)) {
    throw malformed("a manifest with a chunk of an unknown form");
  }
  // Its readers allocate what it says before a byte is here: a manifest may come from anybody.
  if (bytes <= 0 || bytes > CHUNK_BYTES_MAX || parseCid(id).codec !== "raw") {
    throw malformed("a manifest with an impossible chunk");
  }
  return { id: id as Cid, bytes };
}

function malformed(reason: string): MfError {
  return new MfError("CONTENT_MALFORMED", { reason });
}
