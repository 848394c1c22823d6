/** Arrays of numbers (plain, nested, typed) and bytes: shape, how many differ, by how much. */
import { signed, type ValueDiff } from "./diff-text.ts";

/** Elements that are compared; the rest only counts. */
export const DIFF_ELEMENTS_MAX = 16_000_000;
const DEPTH_MAX = 16;

export interface NumberArray {
  readonly shape: readonly number[];
  /** `array`, `Float64Array`, … */
  readonly type: string;
  readonly values: ArrayLike<number | bigint>;
}

/** Undefined where it is no array of numbers, or a ragged one. */
export function numbersOf(value: object): NumberArray | undefined {
  if (ArrayBuffer.isView(value)) {
    if (value instanceof DataView) return undefined;
    const values = value as unknown as ArrayLike<number | bigint>;
    const type = Object.prototype.toString.call(value).slice(8, -1);
    return { shape: [values.length], type, values };
  }
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const shape = shapeOf(value);
  if (shape === undefined) return undefined;
  const values: number[] = [];
  return flatten(value, shape, values) ? { shape, type: "array", values } : undefined;
}

function shapeOf(value: readonly unknown[]): number[] | undefined {
  const shape: number[] = [];
  let inner: unknown = value;
  let total = 1;
  while (Array.isArray(inner)) {
    total *= inner.length;
    if (inner.length === 0 || shape.length >= DEPTH_MAX || total > DIFF_ELEMENTS_MAX)
      return undefined;
    shape.push(inner.length);
    inner = inner[0];
  }
  return typeof inner === "number" ? shape : undefined;
}

function flatten(value: unknown, shape: readonly number[], into: number[]): boolean {
  const [length, ...inner] = shape;
  if (!Array.isArray(value) || value.length !== length) return false;
  if (inner.length > 0) return value.every((row) => flatten(row, inner, into));
  for (const item of value as readonly unknown[]) {
    if (typeof item !== "number") return false;
    into.push(item);
  }
  return true;
}

/** Undefined where they are equal. */
export function diffNumbers(a: NumberArray, b: NumberArray): ValueDiff | undefined {
  const length = Math.min(a.values.length, b.values.length);
  const looked = Math.min(length, DIFF_ELEMENTS_MAX);
  let changed = 0;
  let maxAbs = 0;
  let first: number | undefined;
  for (let at = 0; at < looked; at++) {
    const old = a.values[at] ?? 0;
    const now = b.values[at] ?? 0;
    if (old === now || (Number.isNaN(old) && Number.isNaN(now))) continue;
    changed++;
    first ??= at;
    const difference = Math.abs(Number(now) - Number(old));
    if (difference > maxAbs) maxAbs = difference;
  }
  const shapes = [a.shape.join("×"), b.shape.join("×")];
  const isSameForm = shapes[0] === shapes[1] && a.type === b.type;
  if (changed === 0 && isSameForm && looked === length) return undefined;
  const means = [meanOf(a.values), meanOf(b.values)] as const;
  const form = isSameForm
    ? `${a.type}[${shapes[0]}]`
    : `${a.type}[${shapes[0]}] → ${b.type}[${shapes[1]}]`;
  const isCut = looked < length;
  return {
    of: "array",
    summary: `${form}: ${changed} of ${looked} changed, largest difference ${signed(maxAbs).replace("+", "")}, mean ${shortNumber(means[0])} → ${shortNumber(means[1])}`,
    details: {
      shape: [a.shape, b.shape],
      type: [a.type, b.type],
      compared: looked,
      changed,
      ...(first === undefined ? {} : { first }),
      maxAbs,
      mean: means,
    },
    ...(isCut ? { isCut } : {}),
  };
}

function meanOf(values: ArrayLike<number | bigint>): number {
  const length = Math.min(values.length, DIFF_ELEMENTS_MAX);
  let sum = 0;
  for (let at = 0; at < length; at++) sum += Number(values[at]);
  return length === 0 ? 0 : sum / length;
}

export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** Undefined where they are equal. */
export function diffBytes(a: Uint8Array, b: Uint8Array): ValueDiff | undefined {
  const length = Math.min(a.length, b.length);
  let first = 0;
  while (first < length && a[first] === b[first]) first++;
  if (first === length && a.length === b.length) return undefined;
  const looked = Math.min(length, DIFF_ELEMENTS_MAX);
  let changed = 0;
  for (let at = first; at < looked; at++) if (a[at] !== b[at]) changed++;
  const size = a.length === b.length ? `${a.length} bytes` : `${a.length} → ${b.length} bytes`;
  const isCut = looked < length;
  return {
    of: "bytes",
    summary: `${size}: first difference at ${first}, ${changed} of the first ${looked} differ`,
    details: { bytes: [a.length, b.length], first, compared: looked, changed },
    ...(isCut ? { isCut } : {}),
  };
}
