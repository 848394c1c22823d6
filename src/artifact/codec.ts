/**
 * One structured value <-> bytes: standard MessagePack plus our extensions (README). Deterministic: the same value, with its
 * properties and entries in the same order, gives the same bytes. Written by hand, not by a library: what cannot be stored is
 * refused with its path, every key survives (`__proto__` too), and hostile bytes meet a strict reader instead of a pre-scan.
 */
import { decodeMessage } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { fileInfoOf, type FileInfo } from "./file-brand.ts";
import { isTypedArray, shapeOf, typedArrayName } from "./typed-array.ts";

export interface EncodedValue {
  readonly codec: "messagepack";
  readonly data: Uint8Array;
  /** See kindOf. */
  readonly kind: string;
}

/** Which step returned the value under which name: for the path in an error. */
export interface ValueOrigin {
  readonly step: string;
  readonly name: string;
}

export interface DecodeOptions {
  /** Rebuilds a reference to a stored file; without it the plain `{ id, name, size }`, branded. */
  readonly file?: (info: FileInfo) => unknown;
  /** Typed arrays and bytes may be views of `data` where they are aligned. Only for readers that own `data`. */
  readonly share?: boolean;
}

/** @throws MfError RESULT_UNSTORABLE */
export function encodeValue(value: unknown, where?: ValueOrigin): EncodedValue {
  return { codec: "messagepack", data: encodeMessage(value, where), kind: kindOf(value) };
}

/** @throws MfError CONTENT_MALFORMED */
export function decodeValue(data: Uint8Array, options: DecodeOptions = {}): unknown {
  return decodeMessage(data, options);
}

/** What a value is, for people: `number`, `Float64Array[3x4]`, `array[12]`, `object{3}`, `string[40]`, `bytes[9]`, `file iris.csv`. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return `string[${value.length}]`;
  if (typeof value !== "object") return typeof value;
  if (Array.isArray(value)) return `array[${value.length}]`;
  if (isTypedArray(value)) return typedArrayKind(value);
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (tag === "Map" || tag === "Set") return `${tag}[${(value as Map<unknown, unknown>).size}]`;
  if (tag === "Date") return "date";
  if (tag === "ArrayBuffer" || tag === "DataView") {
    return `${tag}[${(value as ArrayBuffer).byteLength}]`;
  }
  const file = fileInfoOf(value);
  return file === undefined ? `object{${Object.keys(value).length}}` : `file ${file.name}`;
}

function typedArrayKind(value: Parameters<typeof shapeOf>[0]): string {
  const shape = shapeOf(value);
  const name = typedArrayName(value);
  if (name === "Uint8Array" && shape === undefined) return `bytes[${value.length}]`;
  return `${name}[${shape === undefined ? value.length : shape.join("x")}]`;
}
