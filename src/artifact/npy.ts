/** Arrays as a .npy file, version 1.0, C order, little-endian: typed arrays with their shape, and lists of numbers as deep as they go. */
import { MfError } from "../model/errors.ts";
import {
  isTypedArray,
  shapeOf,
  typedArrayName,
  withShape,
  type Shaped,
  type TypedArray,
} from "./typed-array.ts";

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  Int8Array: "|i1",
  Uint8Array: "|u1",
  Uint8ClampedArray: "|u1",
  Int16Array: "<i2",
  Uint16Array: "<u2",
  Int32Array: "<i4",
  Uint32Array: "<u4",
  Float32Array: "<f4",
  Float64Array: "<f8",
  BigInt64Array: "<i8",
  BigUint64Array: "<u8",
};
const MAGIC = Buffer.from("\u0093NUMPY\u0001\u0000", "latin1");
/** numpy's own. */
const SIDES_MAX = 32;

/** @throws MfError FORMAT_UNSUPPORTED */
export function encodeNpy(value: unknown): Uint8Array {
  const array = isTypedArray(value) ? value : nestedArray(value);
  const descr = array === undefined ? undefined : DESCRIPTIONS[typedArrayName(array)];
  if (array === undefined || descr === undefined) {
    const what = "A value that is neither a typed array nor a list of numbers of one length each";
    throw new MfError("FORMAT_UNSUPPORTED", { what, format: "npy", formats: "json, csv" });
  }
  const shape = shapeOf(array) ?? [array.length];
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sides}), }`;
  // The data starts at a multiple of 64.
  const length = Math.ceil((MAGIC.length + 2 + text.length + 1) / 64) * 64 - MAGIC.length - 2;
  const size = Buffer.alloc(2);
  size.writeUInt16LE(length);
  const head = Buffer.from(`${text.padEnd(length - 1)}\n`, "latin1");
  const data = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return Buffer.concat([MAGIC, size, head, data]);
}

/** Lists of numbers become Float64Array, of bigints BigInt64Array, of typed arrays what those are. Undefined where sides differ. */
function nestedArray(value: unknown): Shaped | undefined {
  const shape: number[] = [];
  let level: readonly unknown[] = [value];
  while (Array.isArray(level[0])) {
    const { length } = level[0];
    if (shape.length >= SIDES_MAX) return undefined;
    if (!level.every((item) => Array.isArray(item) && item.length === length)) return undefined;
    shape.push(length);
    level = level.flat();
  }
  if (shape.length === 0) return undefined;
  const flat = flatArray(level);
  if (flat === undefined) return undefined;
  const rows = level[0];
  return withShape(flat, isTypedArray(rows) ? [...shape, rows.length] : shape);
}

function flatArray(values: readonly unknown[]): TypedArray | undefined {
  const [first] = values;
  if (values.every((value) => typeof value === "number")) return Float64Array.from(values);
  if (values.every((value) => typeof value === "bigint"))
    return values.every((value) => BigInt.asIntN(64, value) === value)
      ? BigInt64Array.from(values)
      : undefined;
  if (!isTypedArray(first) || shapeOf(first) !== undefined) return undefined;
  const name = typedArrayName(first);
  const isEven = values.every(
    (value) =>
      isTypedArray(value) && typedArrayName(value) === name && value.length === first.length,
  );
  if (!isEven) return undefined;
  const make = first.constructor as new (length: number) => TypedArray;
  const whole = new make(first.length * values.length);
  for (const [at, row] of values.entries()) whole.set(row as never, at * first.length);
  return whole;
}
