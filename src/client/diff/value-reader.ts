/** Reads the values that are compared, within limits: what is too big or too much is noted and not read. */
import { fileInfoOf, type FileInfo } from "../../artifact/file-brand.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import type { ArtifactRef } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { Records } from "../records.ts";
import { diffBytes } from "./array-diff.ts";
import type { ValueDiff } from "./diff-text.ts";
import { diffValues, stringDiff } from "./value-diff.ts";

/** Changed artifacts that are looked into. */
export const VALUES_COMPARED_MAX = 200;
/** Bytes of one that is, and of all together. */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;
const TOTAL_BYTES_MAX = 512 * 1024 * 1024;
/** A file so small, and without a zero byte, is compared line by line. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** Two contents with two ids in which nothing was found that differs. */
const HIDDEN: ValueDiff = {
  of: "value",
  summary:
    "differs where nobody looks: deeper than is compared, in the order of fields, or -0 for 0",
  details: {},
  isCut: true,
};

export interface ValueAt {
  readonly id: Cid;
  readonly path: readonly string[];
}

export interface ValuePair {
  readonly name: string;
  readonly a: ArtifactRef;
  readonly b: ArtifactRef;
}

export class ValueReader {
  readonly #records: Records;
  readonly #notes: string[] = [];
  readonly #unread = new Set<string>();

  constructor(records: Records) {
    this.#records = records;
  }

  note(text: string): void {
    this.#notes.push(text);
  }

  notes(): readonly string[] {
    return this.#notes;
  }

  /** By name; what is over a limit is missing. */
  async diffs(pairs: readonly ValuePair[]): Promise<Map<string, ValueDiff>> {
    const found = new Map<string, ValueDiff>();
    const read: ValuePair[] = [];
    let bytes = 0;
    let over = 0;
    for (const pair of pairs) {
      const size = pair.a.bytes + pair.b.bytes;
      const isBig = Math.max(pair.a.bytes, pair.b.bytes) > VALUE_BYTES_MAX;
      if (isBig || read.length >= VALUES_COMPARED_MAX || bytes + size > TOTAL_BYTES_MAX) over++;
      else {
        bytes += size;
        read.push(pair);
      }
    }
    if (over > 0)
      this.note(
        `${over} changed artifacts were not looked into: at most ${VALUES_COMPARED_MAX} of at most ${VALUE_BYTES_MAX / 1024 ** 2} MiB are`,
      );
    await this.#records.bring(read.flatMap(({ a, b }) => [a.id, b.id])).catch(ignoreMissing);
    for (const { name, a, b } of read) {
      const diff = await this.#tryDiff(name, { id: a.id, path: [] }, { id: b.id, path: [] });
      if (diff !== undefined) found.set(name, diff);
      else if (!this.#unread.has(name)) found.set(name, HIDDEN);
    }
    return found;
  }

  /** @throws MfError CONTENT_MISSING, CONTENT_MISMATCH, PATHSPEC_NOT_FOUND */
  async diff(a: ValueAt, b: ValueAt): Promise<ValueDiff | undefined> {
    const [old, now] = [await this.#value(a), await this.#value(b)];
    const files = [fileOf(old), fileOf(now)] as const;
    if (files[0] !== undefined && files[1] !== undefined) {
      const inside = await this.#fileDiff(files[0], files[1]);
      if (inside !== undefined) return inside;
    }
    return diffValues(old, now);
  }

  async #tryDiff(name: string, a: ValueAt, b: ValueAt): Promise<ValueDiff | undefined> {
    try {
      return await this.diff(a, b);
    } catch (error) {
      if (!isMfError(error)) throw error;
      this.#unread.add(name);
      this.note(`${name} could not be read: ${error.message}`);
      return undefined;
    }
  }

  async #value({ id, path }: ValueAt): Promise<unknown> {
    let value = await this.#records.value(id);
    for (const key of path) {
      const holder = typeof value === "object" && value !== null ? value : {};
      const next: unknown =
        holder instanceof Map
          ? holder.get(key)
          : (Object.getOwnPropertyDescriptor(holder, key)?.value as unknown);
      if (next === undefined)
        throw new MfError("PATHSPEC_NOT_FOUND", {
          pathspec: `c:${id}`,
          reason: `it has no property "${key}"`,
          hint: "`mf get` prints all of it.",
        });
      value = next;
    }
    return value;
  }

  /** What differs inside two files. */
  async #fileDiff(old: FileInfo, now: FileInfo): Promise<ValueDiff | undefined> {
    if (old.id === now.id || Math.max(old.size, now.size) > VALUE_BYTES_MAX) return undefined;
    const [a, b] = [
      await this.#records.read(old.id as Cid),
      await this.#records.read(now.id as Cid),
    ];
    const inside = isText(a) && isText(b) ? stringDiff(textOf(a), textOf(b)) : diffBytes(a, b);
    if (inside === undefined) return undefined;
    const name = old.name === now.name ? old.name : `${old.name} → ${now.name}`;
    return { ...inside, of: "file", summary: `${name}: ${inside.summary}` };
  }
}

function fileOf(value: unknown): FileInfo | undefined {
  return typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
}

function isText(data: Uint8Array): boolean {
  return data.length <= TEXT_BYTES_MAX && !data.includes(0);
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString("utf8");
}

/** Each is told where it is read. */
function ignoreMissing(error: unknown): void {
  if (!isMfError(error, "CONTENT_MISSING")) throw error;
}
