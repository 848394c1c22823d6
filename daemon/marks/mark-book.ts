/**
 * The marks of this peer and what is compared with other peers: per bucket of keys a digest of all versions. Two peers with the same
 * marks have the same digests, whatever the order in which they came. Pure: the clock's reading is given, nothing is sent or stored.
 */
import { createHash } from "node:crypto";
import { isLater, markKey, MARKS_MAX, type Mark } from "../../src/model/mark.ts";
import {
  MARK_BUCKETS,
  MARK_HASH_BYTES,
  MARK_KEYS_PER_PAGE_MAX,
  MARKS_MESSAGE_BYTES,
  MARKS_PER_MESSAGE_MAX,
} from "../../src/wire/marks-protocol.ts";
import { MARK_AHEAD_MS_MAX, MARKS_BYTES_MAX } from "./marks-limits.ts";

interface Entry {
  readonly mark: Mark;
  /** Of its key; in hex, so that they sort. */
  readonly hash: string;
  /** Of this version. */
  readonly version: Uint8Array;
}

/** The question of one page: see exchangeMarks. */
export interface MarkPage {
  readonly bucket: number;
  readonly after?: Uint8Array;
  readonly has: Uint8Array;
  readonly isLast: boolean;
}

export interface MarkPageAnswer {
  readonly marks: readonly Mark[];
  readonly wants: Uint8Array;
  readonly through?: Uint8Array;
}

export interface SiftedMarks {
  /** News here, each key once. */
  readonly fresh: readonly Mark[];
  /** Not taken: from the future, or more than fit. */
  readonly refused: number;
}

export class MarkBook {
  readonly #marks = new Map<string, Mark>();
  readonly #buckets = Array.from({ length: MARK_BUCKETS }, () => new Map<string, Entry>());
  readonly #digest = new Uint8Array(MARK_BUCKETS * MARK_HASH_BYTES);
  #bytes = 0;

  /** By markKey. */
  get marks(): ReadonlyMap<string, Mark> {
    return this.#marks;
  }

  /** What of `marks` is to be stored, and then added. */
  sift(marks: readonly Mark[], now: number): SiftedMarks {
    const fresh = new Map<string, Mark>();
    let refused = 0;
    let count = this.#marks.size;
    let bytes = this.#bytes;
    for (const mark of marks) {
      const key = markKey(mark);
      const known = fresh.get(key) ?? this.#marks.get(key);
      if (known !== undefined && !isLater(mark, known)) continue;
      const grows = known === undefined ? 1 : 0;
      const more = bytesOf(mark) - (known === undefined ? 0 : bytesOf(known));
      const isTooMuch = count + grows > MARKS_MAX || (more > 0 && bytes + more > MARKS_BYTES_MAX);
      if (mark.at > now + MARK_AHEAD_MS_MAX || isTooMuch) {
        refused++;
        continue;
      }
      count += grows;
      bytes += more;
      fresh.set(key, mark);
    }
    return { fresh: [...fresh.values()], refused };
  }

  /** Those that are later than what is known. */
  add(marks: readonly Mark[]): void {
    for (const mark of marks) {
      const key = markKey(mark);
      const known = this.#marks.get(key);
      if (known !== undefined && !isLater(mark, known)) continue;
      this.#bytes += bytesOf(mark) - (known === undefined ? 0 : bytesOf(known));
      this.#marks.set(key, mark);
      const digest = hashOf(key);
      const bucket = digest[0] ?? 0;
      const entries = this.#bucket(bucket);
      const before = entries.get(key);
      if (before !== undefined) this.#mix(bucket, before.version);
      const version = versionOf(key, mark);
      this.#mix(bucket, version);
      entries.set(key, { mark, hash: hexOf(digest.subarray(0, MARK_HASH_BYTES)), version });
    }
  }

  /** A copy: what is sent must not change. */
  digest(): Uint8Array {
    return this.#digest.slice();
  }

  /** The buckets that are not as there. */
  differing(theirs: Uint8Array): number[] {
    return Array.from({ length: MARK_BUCKETS }, (_, bucket) => bucket).filter((bucket) => {
      const from = bucket * MARK_HASH_BYTES;
      const to = from + MARK_HASH_BYTES;
      return Buffer.compare(this.#digest.subarray(from, to), theirs.subarray(from, to)) !== 0;
    });
  }

  page(bucket: number, after?: Uint8Array): MarkPage {
    const from = after === undefined ? "" : hexOf(after);
    const all = this.#sorted(bucket).filter(({ hash }) => hash > from);
    const shown = all.slice(0, MARK_KEYS_PER_PAGE_MAX);
    const has = Buffer.concat(shown.flatMap(({ hash, version }) => [bytesFrom(hash), version]));
    return {
      bucket,
      ...(after === undefined ? {} : { after }),
      has: new Uint8Array(has),
      isLast: shown.length === all.length,
    };
  }

  answer({ bucket, after, has, isLast }: MarkPage): MarkPageAnswer {
    const theirs = pairsOf(has);
    const from = after === undefined ? "" : hexOf(after);
    const last = isLast ? undefined : ([...theirs.keys()].at(-1) ?? from);
    const mine = new Map(
      this.#sorted(bucket)
        .filter(({ hash }) => hash > from && (last === undefined || hash <= last))
        .map((entry) => [entry.hash, entry]),
    );
    const marks: Mark[] = [];
    const wants: Uint8Array[] = [];
    let bytes = 0;
    let through: string | undefined;
    for (const hash of [...new Set([...mine.keys(), ...theirs.keys()])].sort()) {
      const entry = mine.get(hash);
      const version = theirs.get(hash);
      if (entry === undefined) {
        if (wants.length < MARK_KEYS_PER_PAGE_MAX) wants.push(bytesFrom(hash));
      } else if (version === undefined || Buffer.compare(version, entry.version) !== 0) {
        const isFull = marks.length >= MARKS_PER_MESSAGE_MAX || bytes >= MARKS_MESSAGE_BYTES;
        if (isFull) return pageAnswer(marks, wants, through);
        marks.push(entry.mark);
        bytes += bytesOf(entry.mark);
      }
      through = hash;
    }
    return pageAnswer(marks, wants);
  }

  /** What to tell whoever answered a page, after its marks were added: what it wants, and what it has in an older version. */
  owed(bucket: number, { marks, wants }: Pick<MarkPageAnswer, "marks" | "wants">): Mark[] {
    const wanted = new Set<string>();
    for (let at = 0; at < wants.length; at += MARK_HASH_BYTES)
      wanted.add(hexOf(wants.subarray(at, at + MARK_HASH_BYTES)));
    const owed = this.#sorted(bucket).flatMap(({ hash, mark }) => (wanted.has(hash) ? [mark] : []));
    for (const mark of marks) {
      const known = this.#marks.get(markKey(mark));
      if (known !== undefined && isLater(known, mark)) owed.push(known);
    }
    return owed;
  }

  #bucket(bucket: number): Map<string, Entry> {
    return this.#buckets[bucket] ?? new Map<string, Entry>();
  }

  #sorted(bucket: number): Entry[] {
    return [...this.#bucket(bucket).values()].sort((a, b) => (a.hash < b.hash ? -1 : 1));
  }

  /** Adding and taking away are the same. */
  #mix(bucket: number, version: Uint8Array): void {
    const from = bucket * MARK_HASH_BYTES;
    for (let at = 0; at < MARK_HASH_BYTES; at++)
      this.#digest[from + at] = (this.#digest[from + at] ?? 0) ^ (version[at] ?? 0);
  }
}

/** Messages of at most so many marks and bytes. */
export function markMessages(marks: readonly Mark[]): Mark[][] {
  const messages: Mark[][] = [];
  let bytes = Infinity;
  for (const mark of marks) {
    const current = messages.at(-1);
    if (
      current === undefined ||
      current.length >= MARKS_PER_MESSAGE_MAX ||
      bytes >= MARKS_MESSAGE_BYTES
    ) {
      messages.push([mark]);
      bytes = 0;
    } else current.push(mark);
    bytes += bytesOf(mark);
  }
  return messages;
}

/** On the wire and in memory, about. */
const MARK_BYTES = 64;

function bytesOf({ on, name, value = "", by }: Mark): number {
  return MARK_BYTES + [on, name, value, by].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function hashOf(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Whatever isLater looks at. */
function versionOf(key: string, { at, by, value }: Mark): Uint8Array {
  return hashOf(JSON.stringify([key, at, by, value ?? null])).subarray(0, MARK_HASH_BYTES);
}

function pageAnswer(
  marks: readonly Mark[],
  wants: readonly Uint8Array[],
  through?: string,
): MarkPageAnswer {
  return {
    marks,
    wants: new Uint8Array(Buffer.concat(wants)),
    ...(through === undefined ? {} : { through: bytesFrom(through) }),
  };
}

/** Hash of a key -> hash of a version. */
function pairsOf(has: Uint8Array): Map<string, Uint8Array> {
  const pairs = new Map<string, Uint8Array>();
  for (let at = 0; at < has.length; at += 2 * MARK_HASH_BYTES)
    pairs.set(
      hexOf(has.subarray(at, at + MARK_HASH_BYTES)),
      has.subarray(at + MARK_HASH_BYTES, at + 2 * MARK_HASH_BYTES),
    );
  return pairs;
}

function hexOf(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

function bytesFrom(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}
