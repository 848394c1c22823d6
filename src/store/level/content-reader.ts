/** Finds and reads content, verifying each piece the first time this process reads it. A bad piece is set aside for good. */
import { join } from "node:path";
import { digestHexOf, parseCid } from "../../artifact/cid.ts";
import { decodeManifest } from "../../artifact/manifest.ts";
import type { Logger } from "../../env/logger.ts";
import { MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { ContentLocation, ContentPart } from "../ports.ts";
import { decodeChunkRow, encodeChunkRow, PREFIX, segmentName } from "./index-rows.ts";
import type { Kv } from "./kv.ts";
import type { LevelIndex } from "./level-index.ts";
import { SegmentFiles } from "./segment-files.ts";
import type { StoreLayout } from "./store-layout.ts";

/** Digests remembered as verified; then the memory starts over. */
const VERIFIED_MAX = 100_000;
/** Places remembered; then the memory starts over. */
const PLACES_MAX = 20_000;

export class ContentReader {
  readonly #layout: StoreLayout;
  readonly #index: LevelIndex;
  readonly #logger: Logger;
  readonly #verified = new Set<string>();
  /** Digest -> where it is. Content never moves; what is set aside is forgotten. */
  readonly #places = new Map<string, ContentPart>();
  readonly #files = new SegmentFiles();

  constructor(layout: StoreLayout, index: LevelIndex, logger: Logger) {
    this.#layout = layout;
    this.#index = index;
    this.#logger = logger;
  }

  async locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    const found = await this.#parts(ids.map((id) => parseCid(id).digest));
    const joined = new Map<Cid, ContentLocation | undefined>();
    for (const [i, id] of ids.entries()) {
      const location = found[i];
      if (location === undefined || parseCid(id).codec !== "dag-json" || joined.has(id)) continue;
      // One after the other: a manifest takes megabytes, and thousands may be asked for at once.
      joined.set(id, await this.#joined(id, location));
    }
    return ids.map((id, i) => (joined.has(id) ? joined.get(id) : found[i]));
  }

  /** Lets go of the files; reading opens them again. */
  close(): Promise<void> {
    return this.#files.close();
  }

  async read(id: Cid): Promise<Uint8Array> {
    const location = await this.#locateOne(id);
    if ("inline" in location) return location.inline;
    const whole = newBytes(location.bytes);
    let at = 0;
    for (const part of location.parts) {
      await this.#readPart(id, part, whole.subarray(at, at + part.bytes));
      at += part.bytes;
    }
    return whole;
  }

  async *stream(id: Cid): AsyncIterable<Uint8Array> {
    const location = await this.#locateOne(id);
    if ("inline" in location) {
      yield location.inline;
      return;
    }
    for (const part of location.parts) {
      const data = newBytes(part.bytes);
      await this.#readPart(id, part, data);
      yield data;
    }
  }

  async #locateOne(id: Cid): Promise<ContentLocation> {
    const [location] = await this.locate([id]);
    if (location === undefined) throw new MfError("CONTENT_MISSING", { id });
    if ("inline" in location && digestHexOf(location.inline) !== parseCid(id).digest) {
      await this.#setAside(id, PREFIX.inline + parseCid(id).digest, new Uint8Array());
    }
    return location;
  }

  /** Inline, or one part, by digest. */
  async #parts(digests: readonly string[]): Promise<(ContentLocation | undefined)[]> {
    const kv = await this.#index.ready();
    const found = new Map<string, ContentLocation>();
    for (const digest of digests) {
      const part = this.#places.get(digest);
      if (part !== undefined) found.set(digest, { bytes: part.bytes, parts: [part] });
    }
    const unknown = digests.filter((digest) => !found.has(digest));
    if (unknown.length > 0) await this.#lookUp(kv, unknown, found);
    return digests.map((digest) => found.get(digest));
  }

  async #lookUp(kv: Kv, digests: string[], into: Map<string, ContentLocation>): Promise<void> {
    const keys = digests.flatMap((digest) => [PREFIX.inline + digest, PREFIX.chunk + digest]);
    const rows = await kv.getMany(keys);
    if (this.#places.size >= PLACES_MAX) this.#places.clear();
    for (const [i, digest] of digests.entries()) {
      const inline = rows[i * 2];
      const value = rows[i * 2 + 1];
      if (inline !== undefined) into.set(digest, { inline });
      else if (value !== undefined) {
        const part = this.#place(digest, value);
        this.#places.set(digest, part);
        into.set(digest, { bytes: part.bytes, parts: [part] });
      }
    }
  }

  #place(digest: string, value: Uint8Array): ContentPart {
    const { segment, offset, bytes } = decodeChunkRow(value);
    return { file: join(this.#layout.segments, segmentName(segment)), offset, bytes, digest };
  }

  /** A manifest's location -> that of what it describes; undefined where a chunk is not here. */
  async #joined(id: Cid, location: ContentLocation): Promise<ContentLocation | undefined> {
    const manifest = decodeManifest(await this.#readSmall(id, location));
    const found = await this.#parts(manifest.chunks.map((chunk) => parseCid(chunk.id).digest));
    const parts: ContentPart[] = [];
    for (const part of found) {
      if (part === undefined || "inline" in part) return undefined;
      parts.push(...part.parts);
    }
    return { bytes: manifest.bytes, parts };
  }

  async #readSmall(id: Cid, location: ContentLocation): Promise<Uint8Array> {
    if ("inline" in location) return location.inline;
    const data = new Uint8Array(location.bytes);
    for (const part of location.parts) await this.#readPart(id, part, data);
    return data;
  }

  async #readPart(id: Cid, part: ContentPart, into: Uint8Array): Promise<void> {
    const isRead = await this.#files.read(part, into);
    if (isRead && this.#verified.has(part.digest)) return;
    if (isRead && digestHexOf(into) === part.digest) {
      if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear();
      this.#verified.add(part.digest);
      return;
    }
    const segment = Number.parseInt(part.file.slice(-12, -4), 16);
    const row = encodeChunkRow({ segment, offset: part.offset, bytes: part.bytes });
    await this.#setAside(id, PREFIX.chunk + part.digest, row);
  }

  /** From now on the content is missing, so that it can be stored again. */
  async #setAside(id: Cid, key: string, row: Uint8Array): Promise<never> {
    this.#logger.error("store.content-mismatch", { id, key });
    this.#places.delete(key.slice(PREFIX.chunk.length));
    this.#verified.delete(key.slice(PREFIX.chunk.length));
    const kv = await this.#index.ready();
    try {
      await kv.batch([
        { type: "del", key },
        { type: "put", key: PREFIX.quarantine + key, value: row },
      ]);
    } catch (error) {
      this.#index.poison(error);
    }
    throw new MfError("CONTENT_MISMATCH", { id });
  }
}

/** Not zeroed: every byte is read into it, or it is thrown away. */
function newBytes(length: number): Uint8Array {
  const { buffer } = Buffer.allocUnsafeSlow(length);
  return new Uint8Array(buffer);
}
