/** Finds and reads content, verifying each piece the first time this process reads it. A bad piece is set aside for good. */
import { join } from "node:path";
import { digestHexOf, parseCid } from "../../artifact/cid.ts";
import { decodeManifest } from "../../artifact/manifest.ts";
import type { Logger } from "../../env/logger.ts";
import { MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { ContentLocation, ContentPart } from "../ports.ts";
import { decodeChunkRow, PREFIX, segmentName } from "./index-rows.ts";
import type { Kv } from "./kv.ts";
import type { LevelIndex } from "./level-index.ts";
import { SegmentFiles } from "./segment-files.ts";
import type { StoreLayout } from "./store-layout.ts";

/** Digests remembered as verified; then the memory starts over. */
const VERIFIED_MAX = 100_000;
/** Places remembered; then the memory starts over. */
const PLACES_MAX = 20_000;

type BeforeLookUp = (digests: readonly string[]) => Promise<void>;

export class ContentReader {
  readonly #layout: StoreLayout;
  readonly #index: LevelIndex;
  readonly #logger: Logger;
  readonly #verified = new Set<string>();
  /** Digest -> where it is. What is set aside or moved is forgotten. */
  readonly #places = new Map<string, ContentPart>();
  readonly #files = new SegmentFiles();
  /** Counts `forget`: what was read before one is not remembered after it. */
  #forgotten = 0;

  constructor(layout: StoreLayout, index: LevelIndex, logger: Logger) {
    this.#layout = layout;
    this.#index = index;
    this.#logger = logger;
  }

  /** `before` is told what is about to be looked up, pieces too, and waited for. */
  async locate(
    ids: readonly Cid[],
    before?: BeforeLookUp,
  ): Promise<(ContentLocation | undefined)[]> {
    const digests = ids.map((id) => parseCid(id).digest);
    await before?.(digests);
    const found = await this.#parts(digests);
    const joined = new Map<Cid, ContentLocation | undefined>();
    for (const [i, id] of ids.entries()) {
      const location = found[i];
      if (location === undefined || parseCid(id).codec !== "dag-json" || joined.has(id)) continue;
      // One after the other: a manifest takes megabytes, and thousands may be asked for at once.
      joined.set(id, await this.#joined(id, location, before));
    }
    return ids.map((id, i) => (joined.has(id) ? joined.get(id) : found[i]));
  }

  /** They are elsewhere now, or gone: what was remembered of them is not so any more. */
  forget(digests: readonly string[]): void {
    this.#forgotten++;
    for (const digest of digests) {
      this.#places.delete(digest);
      this.#verified.delete(digest);
    }
  }

  /** The digests of a content's pieces, itself included, as far as they are known here. */
  async piecesOf(id: Cid): Promise<readonly string[]> {
    const { codec, digest } = parseCid(id);
    if (codec !== "dag-json") return [digest];
    const [location] = await this.#parts([digest]);
    if (location === undefined) return [digest];
    const { chunks } = decodeManifest(await this.#readSmall(id, location));
    return [digest, ...chunks.map((chunk) => parseCid(chunk.id).digest)];
  }

  /** Lets go of the files, or of one; reading opens them again. */
  close(file?: string): Promise<void> {
    return this.#files.close(file);
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
    const forgotten = this.#forgotten;
    const rows = await kv.getMany(keys);
    if (this.#places.size >= PLACES_MAX) this.#places.clear();
    for (const [i, digest] of digests.entries()) {
      const inline = rows[i * 2];
      const value = rows[i * 2 + 1];
      if (inline !== undefined) into.set(digest, { inline });
      else if (value !== undefined) {
        const part = this.#place(digest, value);
        if (forgotten === this.#forgotten) this.#places.set(digest, part);
        into.set(digest, { bytes: part.bytes, parts: [part] });
      }
    }
  }

  #place(digest: string, value: Uint8Array): ContentPart {
    const { segment, offset, bytes } = decodeChunkRow(value);
    return { file: join(this.#layout.segments, segmentName(segment)), offset, bytes, digest };
  }

  /** A manifest's location -> that of what it describes; undefined where a chunk is not here. */
  async #joined(
    id: Cid,
    location: ContentLocation,
    before: BeforeLookUp | undefined,
  ): Promise<ContentLocation | undefined> {
    const manifest = decodeManifest(await this.#readSmall(id, location));
    const digests = manifest.chunks.map((chunk) => parseCid(chunk.id).digest);
    await before?.(digests);
    const found = await this.#parts(digests);
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
    if (await this.#readOne(part, into)) return;
    // Compaction may have moved it since its place was looked up.
    const kv = await this.#index.ready();
    const key = PREFIX.chunk + part.digest;
    const [row] = await kv.getMany([key]);
    if (row === undefined) throw new MfError("CONTENT_MISSING", { id });
    const place = this.#place(part.digest, row);
    const isMoved = place.file !== part.file || place.offset !== part.offset;
    if (isMoved && (await this.#readOne(place, into))) return;
    await this.#setAside(id, key, row);
  }

  /** False where the file is gone or what is there is something else. */
  async #readOne(part: ContentPart, into: Uint8Array): Promise<boolean> {
    if (!(await this.#files.read(part, into))) return false;
    if (this.#verified.has(part.digest)) return true;
    if (digestHexOf(into) !== part.digest) return false;
    if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear();
    this.#verified.add(part.digest);
    return true;
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
