/** What stored content is, by its id: bytes as they are, or one structured value. */
import { cidFromDigest, parseCid } from "../artifact/cid.ts";
import { encodeManifest } from "../artifact/manifest.ts";
import { MfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import type { ContentLocation } from "../store/ports.ts";

/**
 * The id of content that was cut into chunks is that of its manifest, which names the codec of the whole. Where the parts lie tells
 * everything else of the manifest, so the codec is the one with which it hashes to the id.
 * @throws MfError CONTENT_MISMATCH
 */
export function contentCodecOf(id: Cid, location: ContentLocation): "raw" | "messagepack" {
  const { codec } = parseCid(id);
  if (codec !== "dag-json") return codec;
  if ("inline" in location) throw new MfError("CONTENT_MISMATCH", { id });
  const { bytes } = location;
  const chunks = location.parts.map((part) => ({
    id: cidFromDigest("raw", part.digest),
    bytes: part.bytes,
  }));
  for (const whole of ["raw", "messagepack"] as const) {
    if (encodeManifest({ v: 1, codec: whole, bytes, chunks }).id === id) return whole;
  }
  throw new MfError("CONTENT_MISMATCH", { id });
}
