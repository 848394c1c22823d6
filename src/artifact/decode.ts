/**
 * Bytes -> value. Every length and count is checked against the bytes that are left before anything is allocated, depth is
 * bounded, and only our own extensions are known: what it is fed may come from a damaged disk or a stranger.
 */
import { MfError } from "../model/errors.ts";
import { ALIGNMENT, BIGINT_BYTES_MAX, DEPTH_MAX, EXT } from "./extension.ts";
import { brandedFile, type FileInfo } from "./file-brand.ts";
import { elementBytes, makeTypedArray, withShape, type TypedArray } from "./typed-array.ts";

export interface ReadOptions {
  readonly file?: (info: FileInfo) => unknown;
  readonly share?: boolean;
}

const textDecoder = new TextDecoder("utf-8", { fatal: true });
/** Up to this many bytes a loop beats the native decoder. */
const LOOP_LENGTH_MAX = 24;

/** @throws MfError CONTENT_MALFORMED */
export function decodeMessage(data: Uint8Array, options: ReadOptions = {}): unknown {
  const reader = new Reader(data, options);
  return reader.whole();
}

class Reader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #options: ReadOptions;
  #at = 0;
  /** End of the innermost extension: nothing inside it reads past it. */
  #end: number;
  #depth = 0;

  constructor(data: Uint8Array, options: ReadOptions) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#options = options;
    this.#end = data.length;
  }

  whole(): unknown {
    const value = this.#value();
    if (this.#at !== this.#end) throw malformed("bytes follow the value");
    return value;
  }

  #value(): unknown {
    const tag = this.#uint(1);
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#object(tag & 15);
    if (tag < 0xa0) return this.#array(tag & 15);
    if (tag < 0xc0) return this.#string(tag & 31);
    if (tag >= 0xc7 && tag <= 0xc9) return this.#extension(this.#uint(1 << (tag - 0xc7)));
    if (tag >= 0xd4 && tag <= 0xd8) return this.#extension(1 << (tag - 0xd4));
    if (tag >= 0xca && tag <= 0xd3) return this.#number(tag);
    return this.#sized(tag);
  }

  #sized(tag: number): unknown {
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#bytes(this.#uint(1 << (tag - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(1 << (tag - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(2 << (tag - 0xdc)));
      case 0xde:
      case 0xdf:
        return this.#object(this.#uint(2 << (tag - 0xde)));
      default:
        throw malformed(`unknown tag ${tag}`);
    }
  }

  #number(tag: number): number | bigint {
    const bytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8][tag - 0xca] ?? 0;
    const at = this.#advance(bytes);
    const view = this.#view;
    if (tag === 0xca) return view.getFloat32(at);
    if (tag === 0xcb) return view.getFloat64(at);
    if (tag === 0xcf) return narrow(view.getBigUint64(at));
    if (tag === 0xd3) return narrow(view.getBigInt64(at));
    if (bytes === 1) return tag === 0xcc ? view.getUint8(at) : view.getInt8(at);
    if (bytes === 2) return tag === 0xcd ? view.getUint16(at) : view.getInt16(at);
    return tag === 0xce ? view.getUint32(at) : view.getInt32(at);
  }

  #array(count: number): unknown[] {
    this.#enter(count);
    const list: unknown[] = [];
    for (let i = 0; i < count; i++) list.push(this.#value());
    this.#depth--;
    return list;
  }

  #object(count: number): Record<string, unknown> {
    this.#enter(count * 2);
    const object: Record<string, unknown> = {};
    for (let i = 0; i < count; i++) {
      const key = this.#value();
      if (typeof key !== "string") throw malformed("a key is not a string");
      const value = this.#value();
      if (key === "__proto__") {
        Object.defineProperty(object, key, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      } else object[key] = value;
    }
    this.#depth--;
    return object;
  }

  #string(length: number): string {
    const at = this.#advance(length);
    if (length <= LOOP_LENGTH_MAX) {
      const text = shortAscii(this.#data, at, length);
      if (text !== undefined) return text;
    }
    try {
      return textDecoder.decode(this.#data.subarray(at, at + length));
    } catch {
      throw malformed("a string is not UTF-8");
    }
  }

  #bytes(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#options.share === true
      ? this.#data.subarray(at, at + length)
      : new Uint8Array(this.#copy(at, length));
  }

  #extension(length: number): unknown {
    const type = this.#uint(1);
    if (length > this.#end - this.#at) throw malformed("an extension is longer than what is left");
    const outer = this.#end;
    this.#end = this.#at + length;
    const value = this.#extensionValue(type, length);
    if (this.#at !== this.#end) throw malformed(`extension ${type} has stray bytes`);
    this.#end = outer;
    return value;
  }

  #extensionValue(type: number, length: number): unknown {
    switch (type) {
      case EXT.undefined:
        this.#advance(length);
        return undefined;
      case EXT.bigint:
        return this.#bigint(length);
      case EXT.map:
        return this.#map();
      case EXT.set:
        return new Set(this.#list());
      case EXT.date:
        return new Date(this.#view.getFloat64(this.#advance(8)));
      case EXT.typedArray:
        return this.#typedArray();
      case EXT.arrayBuffer: {
        const { at, bytes } = this.#block();
        return this.#copy(at, bytes);
      }
      case EXT.dataView: {
        const { at, bytes } = this.#block();
        return new DataView(this.#copy(at, bytes));
      }
      case EXT.file:
        return this.#file();
      case EXT.utf16:
        return this.#utf16(length);
      default:
        throw malformed(`unknown extension ${type}`);
    }
  }

  #bigint(length: number): bigint {
    if (length < 2 || length > BIGINT_BYTES_MAX + 1) throw malformed("a bigint of a wrong length");
    const at = this.#advance(length);
    const sign = this.#data[at];
    if (sign !== 0 && sign !== 1) throw malformed("a bigint without a sign");
    const magnitude = BigInt(`0x${Buffer.from(this.#copy(at + 1, length - 1)).toString("hex")}`);
    return sign === 1 ? -magnitude : magnitude;
  }

  #list(): unknown[] {
    const list = this.#value();
    if (!Array.isArray(list)) throw malformed("an extension without its list");
    return list;
  }

  #map(): Map<unknown, unknown> {
    const list = this.#list();
    if (list.length % 2 !== 0) throw malformed("a Map with a key that has no value");
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < list.length; i += 2) map.set(list[i], list[i + 1]);
    return map;
  }

  #typedArray(): TypedArray {
    const code = this.#uint(1);
    const size = elementBytes(code);
    if (size === undefined) throw malformed(`unknown typed array ${code}`);
    const rank = this.#uint(1);
    if (rank > 32 && rank !== 0xff) throw malformed("a shape of too many sides");
    const shape: number[] = [];
    for (let i = 0; i < (rank === 0xff ? 0 : rank); i++) {
      shape.push(this.#view.getFloat64(this.#advance(8)));
    }
    const { at, bytes } = this.#block();
    if (bytes % size !== 0) throw malformed("a typed array that ends within an element");
    const array = this.#makeArray(code, at, bytes, bytes / size);
    if (rank === 0xff) return array;
    const product = shape.reduce((all, side) => all * side, 1);
    if (!shape.every((side) => Number.isSafeInteger(side) && side >= 0) || product !== array.length)
      throw malformed("a shape that does not fit its array");
    return withShape(array, shape);
  }

  #makeArray(code: number, at: number, bytes: number, length: number): TypedArray {
    const offset = this.#data.byteOffset + at;
    const { buffer } = this.#data;
    const canShare =
      this.#options.share === true && offset % ALIGNMENT === 0 && buffer instanceof ArrayBuffer;
    const made = canShare
      ? makeTypedArray(code, buffer, offset, length)
      : makeTypedArray(code, this.#copy(at, bytes), 0, length);
    if (made === undefined) throw malformed(`unknown typed array ${code}`);
    return made;
  }

  /** The data of an aligned extension: the rest of it, after its zeros. */
  #block(): { at: number; bytes: number } {
    const zeros = this.#uint(1);
    if (zeros >= ALIGNMENT) throw malformed("a wrong alignment");
    this.#advance(zeros);
    const bytes = this.#end - this.#at;
    return { at: this.#advance(bytes), bytes };
  }

  #file(): unknown {
    const [id, name, size, ...rest] = this.#list();
    if (
      typeof id !== "string" ||
      typeof name !== "string" ||
      typeof size !== "number" ||
      rest.length > 0
    ) {
      throw malformed("a file reference that is not [id, name, size]");
    }
    const info = { id, name, size };
    return this.#options.file === undefined ? brandedFile(info) : this.#options.file(info);
  }

  #utf16(length: number): string {
    if (length % 2 !== 0) throw malformed("a UTF-16 string of an odd length");
    const at = this.#advance(length);
    return Buffer.from(this.#data.buffer, this.#data.byteOffset + at, length).toString("utf16le");
  }

  #copy(at: number, length: number): ArrayBuffer {
    const copy = new ArrayBuffer(length);
    new Uint8Array(copy).set(this.#data.subarray(at, at + length));
    return copy;
  }

  #uint(bytes: number): number {
    const at = this.#advance(bytes);
    if (bytes === 1) return this.#data[at] ?? 0;
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  /** Each item takes at least one byte. */
  #enter(items: number): void {
    if (items > this.#end - this.#at) throw malformed("a count larger than what is left");
    if (++this.#depth > DEPTH_MAX * 2) throw malformed("nested too deep");
  }

  #advance(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw malformed("it ends too early");
    this.#at = at + bytes;
    return at;
  }
}

/** Undefined where a character is not ASCII. */
function shortAscii(data: Uint8Array, at: number, length: number): string | undefined {
  let text = "";
  for (let i = at; i < at + length; i++) {
    const code = data[i] ?? 0x80;
    if (code >= 0x80) return undefined;
    text += String.fromCharCode(code);
  }
  return text;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function malformed(reason: string): MfError {
  return new MfError("CONTENT_MALFORMED", { reason });
}
