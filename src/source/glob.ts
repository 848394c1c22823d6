/**
 * Globs by parts of a path, so that a walk enters only directories that can lead to a match: `*` and `?` within a name, `**` any number
 * of directories, `{a,b}` either. `*`, `?` and `**` leave out names that begin with a dot.
 */
import { GLOB_ALTERNATIVES_MAX } from "./source-limits.ts";

/** Where in which alternative the names so far have led. */
export type GlobPlaces = readonly Place[];

interface Place {
  readonly parts: readonly Part[];
  readonly at: number;
}

/** `undefined`: any number of directories. */
type Part = RegExp | undefined;

export class Glob {
  readonly start: GlobPlaces;

  /** @throws RangeError where its braces mean too much */
  constructor(pattern: string) {
    this.start = alternatives(pattern).flatMap((text) =>
      withSkipped({ parts: partsOf(text), at: 0 }),
    );
  }
}

/** Where one more name leads; empty where it leads nowhere. */
export function follow(places: GlobPlaces, name: string): GlobPlaces {
  return places.flatMap(({ parts, at }) => {
    if (at >= parts.length) return [];
    const part = parts[at];
    if (part === undefined) return name.startsWith(".") ? [] : withSkipped({ parts, at });
    return part.test(name) ? withSkipped({ parts, at: at + 1 }) : [];
  });
}

/** The names so far are a match. */
export function isMatch(places: GlobPlaces): boolean {
  return places.some(({ parts, at }) => at === parts.length);
}

/** More names could be a match. */
export function leadsOn(places: GlobPlaces): boolean {
  return places.some(({ parts, at }) => at < parts.length);
}

/** The place, and those behind a `**`, which may stand for nothing. */
function withSkipped({ parts, at }: Place): Place[] {
  const places = [{ parts, at }];
  for (let next = at; next < parts.length && parts[next] === undefined; next++)
    places.push({ parts, at: next + 1 });
  return places;
}

function partsOf(pattern: string): Part[] {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  // At the end it means files at any depth.
  if (parts.at(-1) === "**") parts.push("*");
  // Two in a row mean what one does.
  return parts
    .filter((part, at) => part !== "**" || parts[at - 1] !== "**")
    .map((part) => (part === "**" ? undefined : nameRule(part)));
}

function nameRule(part: string): RegExp {
  const body = part
    .replaceAll(/\*+/g, "*")
    .replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${/^[*?]/.test(part) ? "(?!\\.)" : ""}${body}$`, "su");
}

/** `a{b,c{d,e}}` -> `ab`, `acd`, `ace`. @throws RangeError */
export function alternatives(pattern: string): string[] {
  const group = firstGroup(pattern);
  if (group === undefined) return [pattern];
  const before = pattern.slice(0, group.from);
  const rests = alternatives(pattern.slice(group.to + 1));
  const found = group.choices.flatMap((choice) =>
    alternatives(choice).flatMap((middle) => rests.map((rest) => before + middle + rest)),
  );
  if (found.length > GLOB_ALTERNATIVES_MAX)
    throw new RangeError(`its braces mean more than ${GLOB_ALTERNATIVES_MAX} patterns`);
  return found;
}

interface Group {
  readonly from: number;
  readonly to: number;
  readonly choices: readonly string[];
}

/** The first pair of braces and what commas of its own separate. */
function firstGroup(pattern: string): Group | undefined {
  const from = pattern.indexOf("{");
  if (from < 0) return undefined;
  const choices: string[] = [];
  let depth = 0;
  let begin = from + 1;
  for (let at = from; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "{") depth++;
    if (character === "}") depth--;
    const isEnd = depth === 0;
    if (!isEnd && !(depth === 1 && character === ",")) continue;
    choices.push(pattern.slice(begin, at));
    begin = at + 1;
    if (isEnd) return { from, to: at, choices };
  }
  return undefined;
}
