/** Where two values differ first, and how, in a few words: for somebody who asks why a repeated step did not give the same. */
import { inspect, isDeepStrictEqual } from "node:util";
import { encodeValue } from "../../artifact/codec.ts";
import { fileInfoOf } from "../../artifact/file-brand.ts";

export interface ValueDifference {
  /** Leads to it inside the value, as one would write it: `.loss[3]`; "" for the value itself. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
  /** Of arrays of numbers: how many differ and by how much. */
  readonly note?: string;
}

const TEXT_CHARS_MAX = 60;
/** Deeper or longer than this, values are compared as a whole. */
const PATH_CHARS_MAX = 256;

/** Undefined where they are equal. */
export function valueDifference(
  before: unknown,
  after: unknown,
  path = "",
): ValueDifference | undefined {
  if (Object.is(before, after)) return undefined;
  const here = { path, before: shortText(before), after: shortText(after) };
  if (!isObject(before) || !isObject(after) || kindOf(before) !== kindOf(after)) return here;
  if (path.length > PATH_CHARS_MAX) return isDeepStrictEqual(before, after) ? undefined : here;
  if (isNumbers(before) && isNumbers(after)) return numbersDifference(before, after, path);
  if (Array.isArray(before) && Array.isArray(after)) return listDifference(before, after, path);
  if (before instanceof Map && after instanceof Map && ![...before.keys()].some(isObject))
    return entriesDifference([...before], [...after], path);
  const isPlain = kindOf(before) === "Object" && fileInfoOf(before) === undefined;
  if (isPlain) return entriesDifference(Object.entries(before), Object.entries(after), path);
  return isSameContent(before, after) ? undefined : here;
}

/** As the store sees it: a date without a time is like any other, also as a key of a Map. */
function isSameContent(before: unknown, after: unknown): boolean {
  return Buffer.from(encodeValue(before).data).equals(encodeValue(after).data);
}

function listDifference(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
): ValueDifference | undefined {
  if (before.length > 0 && [...before, ...after].every((item) => typeof item === "number"))
    return numbersDifference(before as readonly number[], after as readonly number[], path);
  for (let at = 0; at < Math.min(before.length, after.length); at++) {
    const found = valueDifference(before[at], after[at], `${path}[${at}]`);
    if (found !== undefined) return found;
  }
  return before.length === after.length ? undefined : lengths(before, after, path);
}

function entriesDifference(
  before: readonly (readonly [unknown, unknown])[],
  after: readonly (readonly [unknown, unknown])[],
  path: string,
): ValueDifference | undefined {
  const now = new Map(after);
  for (const [key, value] of before) {
    const found = now.has(key)
      ? valueDifference(value, now.get(key), `${path}.${String(key)}`)
      : { path: `${path}.${String(key)}`, before: shortText(value), after: "nothing" };
    if (found !== undefined) return found;
  }
  const known = new Set(before.map(([key]) => key));
  const added = after.find(([key]) => !known.has(key));
  if (added === undefined) return undefined;
  return { path: `${path}.${String(added[0])}`, before: "nothing", after: shortText(added[1]) };
}

type Numbers = ArrayLike<number | bigint>;

function numbersDifference(
  before: Numbers,
  after: Numbers,
  path: string,
): ValueDifference | undefined {
  if (before.length !== after.length) return lengths(before, after, path);
  let first = -1;
  let count = 0;
  let most = 0;
  for (let at = 0; at < before.length; at++) {
    const a = before[at] ?? 0;
    const b = after[at] ?? 0;
    if (Object.is(a, b)) continue;
    if (first < 0) first = at;
    count++;
    const by = Math.abs(Number(a) - Number(b));
    if (by > most || Number.isNaN(by)) most = by;
  }
  if (first < 0) return undefined;
  return {
    path: `${path}[${first}]`,
    before: String(before[first]),
    after: String(after[first]),
    note: `${count} of ${before.length} numbers differ, by at most ${Number(most.toPrecision(3))}`,
  };
}

function lengths(
  before: { readonly length: number },
  after: { readonly length: number },
  path: string,
): ValueDifference {
  return { path: `${path}.length`, before: String(before.length), after: String(after.length) };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isNumbers(value: object): value is object & Numbers {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function shortText(value: unknown): string {
  const file = isObject(value) ? fileInfoOf(value) : undefined;
  if (file !== undefined) return `file ${file.name} of ${file.size} bytes`;
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 5 });
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX - 1)}…` : text;
}
