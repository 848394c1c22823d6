/**
 * What people say of runs and contents after the fact: tags, notes, pins, removals. A mark is a register that the last writer wins
 * (hybrid logical time, then the writer's name and value), so every peer that has seen the same writes agrees. See daemon/marks.
 */
import { MfError } from "./errors.ts";

/** `gone`: the run was removed; it is hidden at once and what only it holds may be collected. */
export const MARK_KINDS = ["tag", "note", "pin", "gone"] as const;
export type MarkKind = (typeof MARK_KINDS)[number];

export const TAG_CHARS_MAX = 500;
/** Tags of one run. */
export const TAGS_MAX = 50;
/** Of a mesh, those that were taken off too: 30 MB in each daemon's memory. */
export const MARKS_MAX = 100_000;
export const NOTE_CHARS_MAX = 16 * 1024;

export interface Mark {
  readonly kind: MarkKind;
  /** `flow/id` of a run; of a pin also `c:` and a whole content id. */
  readonly on: string;
  /** The tag; "" for the other kinds, of which a thing has one. */
  readonly name: string;
  /** The note's text, or "" where being set is all; undefined: taken off. */
  readonly value?: string;
  /** Hybrid logical time, ms: the writer's clock, but after every write of this mark that the writer had seen. */
  readonly at: number;
  /** Who wrote it: the user and, in a mesh, the peer's name (`ada@lab1`). */
  readonly by: string;
}

/** Marks with one key are versions of one register. */
export function markKey({ kind, on, name }: Pick<Mark, "kind" | "on" | "name">): string {
  return [kind, encodeURIComponent(on), encodeURIComponent(name)].join("/");
}

/** True where `a` is the later write of the two: a total order, so all peers choose the same. */
export function isLater(a: Mark, b: Mark): boolean {
  if (a.at !== b.at) return a.at > b.at;
  if (a.by !== b.by) return a.by > b.by;
  if (a.value === undefined || b.value === undefined)
    return a.value !== undefined && b.value === undefined;
  return a.value > b.value;
}

/** Of any number of versions of any marks, those that count. */
export function latestMarks(marks: Iterable<Mark>): Map<string, Mark> {
  const latest = new Map<string, Mark>();
  for (const mark of marks) {
    const key = markKey(mark);
    const known = latest.get(key);
    if (known === undefined || isLater(mark, known)) latest.set(key, mark);
  }
  return latest;
}

export function isSet(mark: Mark): boolean {
  return mark.value !== undefined;
}

/** @throws MfError TAG_INVALID */
export function checkTag(tag: string): string {
  const reason = tagFault(tag);
  if (reason !== undefined) throw new MfError("TAG_INVALID", { tag, reason });
  return tag;
}

/** Why it is no tag, in words. */
export function tagFault(tag: string): string | undefined {
  if (tag === "") return "it is empty";
  if (tag.length > TAG_CHARS_MAX) return `it is longer than ${TAG_CHARS_MAX} characters`;
  // Half a surrogate pair would reach other peers as another character.
  return /[\s/@!]|\p{Cc}|\p{Cs}/u.test(tag)
    ? "it has a space, a slash, an @, a ! or a control character"
    : undefined;
}
