/** A stored file as a step sees it; its content is looked up only when it is asked for. */
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FILE_BRAND, type FileInfo } from "../artifact/file-brand.ts";
import { MfError } from "../model/errors.ts";
import type { ContentLocation } from "../store/ports.ts";
import { readLocation, streamLocation } from "../store/segment/segment-reader.ts";

/** What a file reference needs from the attempt that holds it. */
export interface FileAccess {
  locate(id: string): Promise<ContentLocation | undefined>;
  /** A directory of this attempt, removed when it ends. */
  tempDir(): string;
}

export class StoredFileRef implements FileInfo {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly #access: FileAccess;
  #path: Promise<string> | undefined;

  constructor(info: FileInfo, access: FileAccess) {
    this.id = info.id;
    this.name = info.name;
    this.size = info.size;
    this.#access = access;
    Object.defineProperty(this, FILE_BRAND, { value: true });
  }

  async bytes(): Promise<Uint8Array> {
    return Uint8Array.from(readLocation(await this.#location()));
  }

  async text(): Promise<string> {
    return Buffer.from(readLocation(await this.#location())).toString("utf8");
  }

  async *stream(): AsyncGenerator<Uint8Array> {
    const location = await this.#location();
    if ("inline" in location) yield location.inline;
    else yield* streamLocation(location);
  }

  path(): Promise<string> {
    this.#path ??= this.#writeOut();
    return this.#path;
  }

  async #writeOut(): Promise<string> {
    // A directory for each content: two files may have one name, and libraries look at the extension.
    const folder = join(this.#access.tempDir(), this.id.slice(-16));
    // With its directories, where it has some: many data sets say what a file is by the directory it lies in.
    const path = join(folder, ...safeParts(this.name));
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(Readable.from(this.stream()), createWriteStream(path, { mode: 0o400 }));
    return path;
  }

  async #location(): Promise<ContentLocation> {
    const location = await this.#access.locate(this.id);
    if (location === undefined) throw new MfError("CONTENT_MISSING", { id: this.id });
    return location;
  }
}

/** A name comes with a value, so from anybody: no part of it leads out of the attempt's directory. */
function safeParts(name: string): string[] {
  const parts = name.split("/").map((part) => part.replaceAll(/[\\\0]/g, "_"));
  const safe = parts.filter((part) => part !== "" && part !== "." && part !== "..");
  return safe.length === 0 ? ["file"] : safe;
}
