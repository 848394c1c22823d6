/** How two values differ, in a line for people and as data. The work is bounded: what was not looked at is told. */
import { fileInfoOf } from "../../artifact/file-brand.ts";
import { diffBytes, diffNumbers, numbersOf } from "./array-diff.ts";
import {
  cutText,
  DIFF_SHOWN_MAX,
  signed,
  TEXT_SHOWN,
  typeName,
  valueText,
  type ValueDiff,
} from "./diff-text.ts";
import { diffLines } from "../explain/line-diff.ts";
import { diffTables, tableOf } from "./table-diff.ts";

/** Properties of objects in objects, this deep. */
const DEPTH_MAX = 6;
const KEYS_MAX = 10_000;

/** Undefined where they are equal. */
export function diffValues(a: unknown, b: unknown, depth = 0): ValueDiff | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a === "number" && typeof b === "number") return numberDiff(a, b);
  if (typeof a === "string" && typeof b === "string") return stringDiff(a, b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return a === b ? undefined : plainDiff(a, b);
  return objectsDiff(a, b, depth);
}

function objectsDiff(a: object, b: object, depth: number): ValueDiff | undefined {
  const files = [fileInfoOf(a), fileInfoOf(b)] as const;
  if (files[0] !== undefined && files[1] !== undefined) return fileDiff(files[0], files[1]);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return diffBytes(a, b);
  if (isDate(a) && isDate(b)) {
    const [old, now] = [a.toISOString(), b.toISOString()];
    return old === now
      ? undefined
      : { of: "date", summary: `${old} → ${now}`, details: { old, new: now } };
  }
  const numbers = [numbersOf(a), numbersOf(b)] as const;
  if (numbers[0] !== undefined && numbers[1] !== undefined)
    return diffNumbers(numbers[0], numbers[1]);
  const tables = [tableOf(a), tableOf(b)] as const;
  if (tables[0] !== undefined && tables[1] !== undefined) return diffTables(tables[0], tables[1]);
  if (a instanceof Set && b instanceof Set) return setDiff(a, b);
  if (typeName(a) !== typeName(b)) return plainDiff(a, b);
  return fieldsDiff(a, b, depth);
}

function numberDiff(old: number, now: number): ValueDiff {
  const delta = now - old;
  if (!Number.isFinite(delta))
    return { of: "number", summary: `${old} → ${now}`, details: { old, new: now } };
  const share =
    old === 0 || !Number.isFinite(delta / old) ? "" : `, ${signed((100 * delta) / old)} %`;
  return {
    of: "number",
    summary: `${old} → ${now} (${signed(delta)}${share})`,
    details: { old, new: now, delta },
  };
}

/** Lines of either text that are looked at. */
const TEXT_LINES_MAX = 20_000;

export function stringDiff(old: string, now: string): ValueDiff {
  if (!old.includes("\n") && !now.includes("\n") && old.length + now.length < TEXT_SHOWN * 2)
    return {
      of: "string",
      summary: `${JSON.stringify(old)} → ${JSON.stringify(now)}`,
      details: { old, new: now },
    };
  const texts = [old.split("\n", TEXT_LINES_MAX), now.split("\n", TEXT_LINES_MAX)] as const;
  const changed = diffLines(...texts).filter(({ sign }) => sign !== " ");
  const added = changed.filter(({ sign }) => sign === "+").length;
  const removed = changed.length - added;
  const isCut = texts.some((lines) => lines.length === TEXT_LINES_MAX);
  return {
    of: "string",
    summary: `${removed} removed, ${added} added lines`,
    lines: changed.slice(0, DIFF_SHOWN_MAX).map(({ sign, text }) => cutText(`${sign}${text}`)),
    details: { added, removed },
    ...(isCut || changed.length > DIFF_SHOWN_MAX ? { isCut: true } : {}),
  };
}

function fileDiff(
  old: { readonly id: string; readonly name: string; readonly size: number },
  now: typeof old,
): ValueDiff | undefined {
  if (old.id === now.id && old.name === now.name) return undefined;
  const what = old.id === now.id ? "the same bytes" : `${old.size} → ${now.size} bytes`;
  const name = old.name === now.name ? old.name : `${old.name} → ${now.name}`;
  return { of: "file", summary: `${name}: ${what}`, details: { old, new: now } };
}

function setDiff(old: ReadonlySet<unknown>, now: ReadonlySet<unknown>): ValueDiff | undefined {
  const texts = [old, now].map((set) => new Set([...set].slice(0, KEYS_MAX).map(valueText)));
  const added = [...(texts[1] ?? [])].filter((text) => texts[0]?.has(text) !== true);
  const removed = [...(texts[0] ?? [])].filter((text) => texts[1]?.has(text) !== true);
  if (added.length + removed.length === 0 && old.size === now.size) return undefined;
  return {
    of: "set",
    summary: `${removed.length} removed, ${added.length} added`,
    lines: [...removed.map((text) => `-${text}`), ...added.map((text) => `+${text}`)]
      .slice(0, DIFF_SHOWN_MAX)
      .map(cutText),
    details: { old: old.size, new: now.size, added: added.length, removed: removed.length },
    ...(Math.max(old.size, now.size) > KEYS_MAX ? { isCut: true } : {}),
  };
}

/** Plain objects, Maps and arrays of anything: property by property. */
function fieldsDiff(a: object, b: object, depth: number): ValueDiff | undefined {
  const old = fieldsOf(a);
  const now = fieldsOf(b);
  const added: string[] = [];
  const removed: string[] = [];
  const changed: string[] = [];
  const lines: string[] = [];
  for (const [name, value] of old) {
    if (!now.has(name)) {
      removed.push(name);
      lines.push(`-${name}: ${valueText(value)}`);
      continue;
    }
    const other = now.get(name);
    const inside =
      depth < DEPTH_MAX ? diffValues(value, other, depth + 1) : shallowDiff(value, other);
    if (inside === undefined) continue;
    changed.push(name);
    if (lines.length < DIFF_SHOWN_MAX) lines.push(`${name}: ${inside.summary}`);
  }
  for (const [name, value] of now) {
    if (old.has(name)) continue;
    added.push(name);
    if (lines.length < DIFF_SHOWN_MAX) lines.push(`+${name}: ${valueText(value)}`);
  }
  const count = added.length + removed.length + changed.length;
  if (count === 0) return undefined;
  const isCut = Math.max(old.size, now.size) >= KEYS_MAX || count > DIFF_SHOWN_MAX;
  const parts = [
    changed.length > 0 ? `${changed.length} changed` : "",
    removed.length > 0 ? `${removed.length} removed` : "",
    added.length > 0 ? `${added.length} added` : "",
  ].filter((part) => part !== "");
  const what = Array.isArray(a) ? "elements" : "fields";
  return {
    of: "object",
    summary: `${what}: ${parts.join(", ")}`,
    lines: lines.slice(0, DIFF_SHOWN_MAX).map(cutText),
    details: {
      changed: changed.slice(0, DIFF_SHOWN_MAX),
      added: added.slice(0, DIFF_SHOWN_MAX),
      removed: removed.slice(0, DIFF_SHOWN_MAX),
    },
    ...(isCut ? { isCut } : {}),
  };
}

function fieldsOf(value: object): Map<string, unknown> {
  if (value instanceof Map)
    return new Map([...value].slice(0, KEYS_MAX).map(([key, entry]) => [valueText(key), entry]));
  return new Map(Object.entries(value).slice(0, KEYS_MAX));
}

function shallowDiff(a: unknown, b: unknown): ValueDiff | undefined {
  return valueText(a) === valueText(b) ? undefined : plainDiff(a, b);
}

function plainDiff(a: unknown, b: unknown): ValueDiff {
  const types = [typeName(a), typeName(b)];
  const isTyped = types[0] !== types[1];
  const text = (value: unknown): string =>
    isTyped && typeof value !== "object" && value !== undefined
      ? `${typeName(value)} ${valueText(value)}`
      : valueText(value);
  const summary = `${text(a)} → ${text(b)}`;
  return {
    of: isTyped ? "type" : "value",
    summary,
    details: { old: valueText(a), new: valueText(b), types },
  };
}

function isDate(value: object): value is { toISOString(): string } {
  return Object.prototype.toString.call(value) === "[object Date]";
}
