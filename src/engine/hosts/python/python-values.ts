/** Values on their way to and from Python: JSON for structure, raw buffers beside it for arrays and bytes. */
import { StoredFileRef } from "../../../task/file-ref.ts";
import { MfError } from "../../../model/errors.ts";
import {
  isTypedArray,
  shapeOf,
  withShape,
  type TypedArray,
} from "../../../artifact/typed-array.ts";

const DTYPES: Readonly<Record<string, string>> = {
  Float64Array: "<f8",
  Float32Array: "<f4",
  Int8Array: "|i1",
  Uint8ClampedArray: "|u1",
  Int16Array: "<i2",
  Uint16Array: "<u2",
  Int32Array: "<i4",
  Uint32Array: "<u4",
  BigInt64Array: "<i8",
  BigUint64Array: "<u8",
};
const ARRAYS: Readonly<Record<string, new (buffer: ArrayBuffer) => TypedArray>> = {
  "<f8": Float64Array,
  "<f4": Float32Array,
  "|i1": Int8Array,
  "|u1": Uint8Array,
  "|b1": Uint8Array,
  "<i2": Int16Array,
  "<u2": Uint16Array,
  "<i4": Int32Array,
  "<u4": Uint32Array,
  "<i8": BigInt64Array,
  "<u8": BigUint64Array,
};

/** A tag object stands for what JSON has not: { "$": kind, … }. */
export async function toPython(value: unknown, buffers: Uint8Array[]): Promise<unknown> {
  if (value === undefined) return null;
  if (typeof value === "bigint") return { $: "int", v: String(value) };
  if (typeof value === "number" && !Number.isFinite(value)) return { $: "float", v: String(value) };
  if (value === null || typeof value !== "object") return value;
  if (value instanceof StoredFileRef) return { $: "path", v: await value.path() };
  if (isTypedArray(value)) return arrayTo(value, buffers);
  if (Array.isArray(value)) return mapAll(value, buffers);
  if (value instanceof Set) return { $: "set", v: await mapAll([...value], buffers) };
  if (isDate(value)) return { $: "date", v: value.getTime() };
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return { $: "dict", v: await mapAll(entries, buffers) };
}

function isDate(value: object): value is { getTime(): number } {
  return Object.prototype.toString.call(value) === "[object Date]";
}

async function mapAll(values: readonly unknown[], buffers: Uint8Array[]): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const value of values) all.push(await toPython(value, buffers));
  return all;
}

function arrayTo(value: TypedArray, buffers: Uint8Array[]): unknown {
  buffers.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const shape = shapeOf(value);
  const dtype = DTYPES[value.constructor.name];
  if (dtype === undefined && shape === undefined) return { $: "bytes", b: buffers.length - 1 };
  return {
    $: "array",
    b: buffers.length - 1,
    dtype: dtype ?? "|u1",
    shape: shape ?? [value.length],
  };
}

export type StoreFile = (path: string) => Promise<unknown>;

export async function fromPython(
  value: unknown,
  buffers: readonly Uint8Array[],
  store: StoreFile,
): Promise<unknown> {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const all: unknown[] = [];
    for (const item of value) all.push(await fromPython(item, buffers, store));
    return all;
  }
  const tag = value as {
    $: string;
    v: unknown;
    b: number;
    dtype: string;
    shape: number[];
    type: string;
  };
  const bytes = (): Uint8Array => Uint8Array.from(buffers[tag.b] ?? new Uint8Array());
  switch (tag.$) {
    case "int":
      return BigInt(tag.v as string);
    case "float":
      return Number(tag.v);
    case "bytes":
      return bytes();
    case "pickle":
      return { pickle: bytes(), type: tag.type };
    case "path":
      return store(tag.v as string);
    case "set":
      return new Set((await fromPython(tag.v, buffers, store)) as unknown[]);
    case "array":
      return arrayFrom(tag, bytes());
    default:
      return dictFrom((await fromPython(tag.v, buffers, store)) as [unknown, unknown][]);
  }
}

function arrayFrom(tag: { dtype: string; shape: number[] }, bytes: Uint8Array): TypedArray {
  const make = ARRAYS[tag.dtype];
  if (make === undefined) {
    throw new MfError("RESULT_UNSTORABLE", {
      step: "python",
      path: "result",
      what: `an array of dtype ${tag.dtype}`,
    });
  }
  const array = new make(bytes.buffer as ArrayBuffer);
  return tag.shape.length === 1 ? array : withShape(array, tag.shape);
}

/** A dict with string keys is an object; any other is a Map. */
function dictFrom(entries: [unknown, unknown][]): unknown {
  if (entries.every(([key]) => typeof key === "string"))
    return Object.fromEntries(entries) as object;
  return new Map(entries);
}
