/** A stored artifact: known by its id at once, read when it is asked for. */
import { writeFile } from "node:fs/promises";
import { fileInfoOf } from "../../artifact/file-brand.ts";
import { MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { Library } from "./library.ts";

export interface ArtifactParts {
  /** `flow/run/step[i]/name`, or `c:ID`. */
  readonly pathspec: string;
  readonly name: string;
  readonly id: Cid;
  readonly size: number;
  readonly kind: string;
  /** Leads to a property inside it. */
  readonly path?: readonly string[];
}

export class Artifact {
  readonly pathspec: string;
  readonly name: string;
  /** Of the content: equal contents have one id. */
  readonly id: string;
  /** Bytes as stored. */
  readonly size: number;
  /** For people: `number`, `Float64Array[150]`, `file iris.csv`. */
  readonly kind: string;
  readonly #library: Library;
  readonly #path: readonly string[];
  #value: Promise<unknown> | undefined;

  constructor(library: Library, { pathspec, name, id, size, kind, path = [] }: ArtifactParts) {
    this.#library = library;
    this.pathspec = pathspec;
    this.name = name;
    this.id = id;
    this.size = size;
    this.kind = kind;
    this.#path = path;
  }

  /** The value as the step returned it, read once and verified. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  async value<T = unknown>(): Promise<T> {
    this.#value ??= this.#read().catch((error: unknown) => {
      this.#value = undefined;
      throw error;
    });
    return (await this.#value) as T;
  }

  /** Of bytes and of a file, what is in them. @throws MfError FORMAT_UNSUPPORTED, CONTENT_MISSING */
  async bytes(): Promise<Uint8Array> {
    const value = await this.value();
    if (value instanceof Uint8Array) return value;
    const file = typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
    if (file !== undefined) return this.#library.records.read(file.id as Cid);
    throw new MfError("FORMAT_UNSUPPORTED", {
      what: `${this.pathspec} (${this.kind})`,
      format: "bytes",
      formats: "value()",
    });
  }

  /** Saves bytes or a file under that path. @throws MfError FORMAT_UNSUPPORTED */
  async file(path: string): Promise<string> {
    await writeFile(path, await this.bytes());
    return path;
  }

  toString(): string {
    return `Artifact(${this.pathspec})`;
  }

  async #read(): Promise<unknown> {
    let value = await this.#library.records.value(this.id as Cid);
    for (const key of this.#path) {
      const holder = typeof value === "object" && value !== null ? value : {};
      value =
        holder instanceof Map
          ? holder.get(key)
          : (Object.getOwnPropertyDescriptor(holder, key)?.value as unknown);
      if (value === undefined)
        throw new MfError("PATHSPEC_NOT_FOUND", {
          pathspec: this.pathspec,
          reason: `it has no property "${key}"`,
          hint: `Its kind is ${this.kind}.`,
        });
    }
    return value;
  }
}
