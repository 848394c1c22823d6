/**
 * Ids of files that were stored before, so that one that has not changed is not read again. Only a help: what is lost or wrong in
 * form is forgotten, and an id counts only while the store still has its content.
 */
import type { BigIntStats } from "node:fs";
import type { Cid } from "../model/ids.ts";
import { readPrivateFile, writePrivateFile } from "../std/durable-file.ts";
import { CACHE_BYTES_MAX, REMEMBERED_FILES_MAX, SETTLED_MS } from "./source-limits.ts";

const VERSION = 1;
const NS_PER_MS = 1_000_000n;
const CID = /^b[a-z2-7]{50,120}$/;

/** By path: what the file looked like, its id. Those used last stand last. */
type Entries = Map<string, readonly [looks: string, id: Cid]>;

export class FileCache {
  readonly #file: string | undefined;
  readonly #entries: Entries;
  #isChanged = false;

  /** Without a file nothing is remembered. */
  constructor(file: string | undefined) {
    this.#file = file;
    this.#entries = file === undefined ? new Map() : readEntries(file);
  }

  get(path: string, facts: BigIntStats): Cid | undefined {
    const known = this.#entries.get(path);
    if (known === undefined || known[0] !== looksOf(facts)) return undefined;
    this.#entries.delete(path);
    this.#entries.set(path, known);
    return known[1];
  }

  /** `now`: before the file was read. */
  set(path: string, facts: BigIntStats, { id, now }: { id: Cid; now: number }): void {
    if (this.#file === undefined) return;
    const settledAt = (facts.mtimeNs > facts.ctimeNs ? facts.mtimeNs : facts.ctimeNs) / NS_PER_MS;
    if (Number(settledAt) + SETTLED_MS > now) return;
    this.#entries.delete(path);
    this.#entries.set(path, [looksOf(facts), id]);
    this.#isChanged = true;
  }

  save(): void {
    if (this.#file === undefined || !this.#isChanged) return;
    const kept = [...this.#entries].slice(-REMEMBERED_FILES_MAX);
    try {
      writePrivateFile(this.#file, JSON.stringify({ v: VERSION, files: kept }));
    } catch {
      // Another command writes it too, or the home cannot be written: then the files are read again.
    }
  }
}

/** The time of the last change of the inode is in it: a copy that keeps the time of writing is still noticed. */
function looksOf({ size, mtimeNs, ctimeNs, ino, dev }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, ino, dev].join(" ");
}

function readEntries(file: string): Entries {
  const entries: Entries = new Map();
  try {
    const read = readPrivateFile(file, CACHE_BYTES_MAX);
    if (read.t !== "read") return entries;
    const parsed = JSON.parse(Buffer.from(read.data).toString("utf8")) as {
      readonly v?: unknown;
      readonly files?: unknown;
    } | null;
    if (parsed?.v !== VERSION || !Array.isArray(parsed.files)) return entries;
    for (const entry of parsed.files.slice(-REMEMBERED_FILES_MAX) as unknown[]) {
      if (!Array.isArray(entry) || !Array.isArray(entry[1])) continue;
      const [path, [looks, id]] = entry as [unknown, unknown[]];
      if (typeof path !== "string" || typeof looks !== "string") continue;
      if (typeof id === "string" && CID.test(id)) entries.set(path, [looks, id as Cid]);
    }
  } catch {
    // Damaged: as if it were not there.
  }
  return entries;
}
