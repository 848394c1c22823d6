/** What a difference is, and how values look in it. */
export interface ValueDiff {
  /** `number`, `string`, `array`, `table`, `bytes`, `object`, `set`, `date`, `file`, `type`, `value`. */
  readonly of: string;
  readonly summary: string;
  /** Further lines, at most DIFF_SHOWN_MAX. */
  readonly lines?: readonly string[];
  /** The same as data; names depend on `of` (docs/versions.md). */
  readonly details: Readonly<Record<string, unknown>>;
  /** Not everything was looked at, or not everything is told. */
  readonly isCut?: boolean;
}

/** Lines told of one value. */
export const DIFF_SHOWN_MAX = 40;
/** Characters of a value that are told. */
export const TEXT_SHOWN = 60;

export function typeName(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Object.prototype.toString.call(value).slice(8, -1).toLowerCase();
}

/** Short, for people. */
export function valueText(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return cutText(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `${typeName(value)}[${value.byteLength} B]`;
  if (Array.isArray(value)) return `array[${value.length}]`;
  if (value instanceof Map || value instanceof Set) return `${typeName(value)}[${value.size}]`;
  return `object{${Object.keys(value).length}}`;
}

export function cutText(text: string): string {
  return text.length > TEXT_SHOWN * 2 ? `${text.slice(0, TEXT_SHOWN * 2 - 1)}…` : text;
}

export function signed(value: number): string {
  const short = Number(value.toPrecision(4));
  return value > 0 ? `+${short}` : String(short);
}
