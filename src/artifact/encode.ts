/** Value -> bytes, refusing what cannot be stored before anything is lost, with the path to it. */
import { MfError } from "../model/errors.ts";
import { BIGINT_BYTES_MAX, DEPTH_MAX, EXT } from "./extension.ts";
import { fileInfoOf } from "./file-brand.ts";
import { MessageWriter, TooLargeError } from "./message-writer.ts";
import { isTypedArray, shapeOf, typedArrayCode, type TypedArray } from "./typed-array.ts";
import { pathText, type PathKey } from "./value-path.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;
const NO_BYTES = new Uint8Array(1);

/** Kept between calls, absent while one is under way (a getter may encode, too). */
let spare: MessageWriter | undefined;

/** @throws MfError RESULT_UNSTORABLE */
export function encodeMessage(value: unknown, where?: { step: string; name: string }): Uint8Array {
  const writer = spare ?? new MessageWriter();
  spare = undefined;
  writer.length = 0;
  const encoder = new Encoder(writer, where);
  const data = encoder.encode(value);
  spare = writer;
  return data;
}

class Encoder {
  readonly #writer: MessageWriter;
  readonly #where: { step: string; name: string } | undefined;
  /** Ancestors of the value being written, and the key under each. */
  readonly #ancestors: object[] = [];
  readonly #keys: PathKey[] = [];

  constructor(writer: MessageWriter, where: { step: string; name: string } | undefined) {
    this.#writer = writer;
    this.#where = where;
  }

  encode(value: unknown): Uint8Array {
    try {
      this.#value(value);
      return this.#writer.take();
    } catch (error) {
      if (error instanceof TooLargeError) throw this.#refusal("too large (over 2 GB encoded)");
      throw error;
    }
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case "number":
        return this.#writer.number(value);
      case "string":
        return this.#string(value);
      case "boolean":
        return this.#writer.byte(value ? 0xc3 : 0xc2);
      case "undefined":
        return this.#writer.extension(EXT.undefined, NO_BYTES);
      case "bigint":
        return this.#bigint(value);
      case "object":
        return value === null ? this.#writer.byte(0xc0) : this.#object(value);
      case "function":
        throw this.#refusal(value.name === "" ? "a function" : `a function (${value.name})`);
      case "symbol":
        throw this.#refusal("a symbol");
    }
  }

  #string(value: string): void {
    if (!LONE_SURROGATE.test(value)) return this.#writer.string(value);
    this.#writer.extension(EXT.utf16, Buffer.from(value, "utf16le"));
  }

  #bigint(value: bigint): void {
    const digits = (value < 0n ? -value : value).toString(16);
    if (digits.length > BIGINT_BYTES_MAX * 2) {
      throw this.#refusal(`a bigint of more than ${BIGINT_BYTES_MAX} bytes`);
    }
    const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
    this.#writer.extension(EXT.bigint, Buffer.concat([Buffer.of(value < 0n ? 1 : 0), magnitude]));
  }

  #object(value: object): void {
    if (isTypedArray(value)) return this.#typedArray(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (Array.isArray(value)) return this.#array(value);
    if (this.#file(value)) return;
    if (prototype === null || prototype === Object.prototype || isForeignPlain(prototype)) {
      return this.#plain(value as Record<string, unknown>);
    }
    this.#builtIn(value, className(prototype));
  }

  #builtIn(value: object, name: string): void {
    const tag = Object.prototype.toString.call(value).slice(8, -1);
    if (name !== tag) throw this.#refusal(describeInstance(value, name));
    switch (tag) {
      case "Map":
        return this.#map(value as Map<unknown, unknown>);
      case "Set":
        return this.#set(value as Set<unknown>);
      case "Date": {
        const bytes = Buffer.alloc(8);
        new DataView(bytes.buffer, bytes.byteOffset).setFloat64(0, (value as Date).getTime());
        return this.#writer.extension(EXT.date, bytes);
      }
      case "ArrayBuffer":
        return this.#block(EXT.arrayBuffer, new Uint8Array(value as ArrayBuffer));
      case "DataView": {
        const view = value as DataView;
        return this.#block(
          EXT.dataView,
          new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
        );
      }
      default:
        throw this.#refusal(describeInstance(value, name));
    }
  }

  #array(value: readonly unknown[]): void {
    this.#enter(value);
    this.#writer.arrayHead(value.length);
    const last = this.#keys.length - 1;
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      this.#keys[last] = i;
      if (item === undefined && !(i in value)) throw this.#refusal("a hole in an array");
      this.#value(item);
    }
    this.#leave();
  }

  #plain(value: Record<string, unknown>): void {
    this.#enter(value);
    if (Object.getOwnPropertySymbols(value).length > 0) {
      this.#keys.pop();
      throw this.#refusal("an object with symbols as keys");
    }
    const names = Object.keys(value);
    this.#writer.mapHead(names.length);
    const last = this.#keys.length - 1;
    for (const name of names) {
      this.#keys[last] = name;
      this.#string(name);
      this.#value(this.#property(value, name));
    }
    this.#leave();
  }

  #property(value: Record<string, unknown>, name: string): unknown {
    try {
      return value[name];
    } catch (error) {
      throw this.#refusal(`a getter that throws (${error instanceof Error ? error.message : ""})`);
    }
  }

  #map(value: Map<unknown, unknown>): void {
    this.#enter(value);
    const start = this.#writer.openExtension(EXT.map);
    this.#writer.arrayHead(value.size * 2);
    let position = 0;
    for (const [key, item] of value) {
      this.#keys[this.#keys.length - 1] = typeof key === "string" ? key : position;
      this.#value(key);
      this.#value(item);
      position++;
    }
    this.#writer.closeExtension(start);
    this.#leave();
  }

  #set(value: Set<unknown>): void {
    this.#enter(value);
    const start = this.#writer.openExtension(EXT.set);
    this.#writer.arrayHead(value.size);
    let position = 0;
    for (const item of value) {
      this.#keys[this.#keys.length - 1] = position++;
      this.#value(item);
    }
    this.#writer.closeExtension(start);
    this.#leave();
  }

  #typedArray(value: TypedArray): void {
    const code = typedArrayCode(value);
    if (code === undefined) throw this.#refusal("a typed array of an unknown kind");
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    const shape = shapeOf(value);
    if (code === 1 && shape === undefined) return this.#writer.bytes(bytes);
    const start = this.#writer.openExtension(EXT.typedArray);
    this.#writer.byte(code);
    this.#writer.byte(shape === undefined ? 0xff : shape.length);
    for (const side of shape ?? []) this.#writer.float64(side);
    this.#writer.aligned(bytes);
    this.#writer.closeExtension(start);
  }

  #block(type: number, bytes: Uint8Array): void {
    const start = this.#writer.openExtension(type);
    this.#writer.aligned(bytes);
    this.#writer.closeExtension(start);
  }

  #file(value: object): boolean {
    const file = fileInfoOf(value);
    if (file === undefined) return false;
    const start = this.#writer.openExtension(EXT.file);
    this.#writer.arrayHead(3);
    this.#string(file.id);
    this.#string(file.name);
    this.#writer.number(file.size);
    this.#writer.closeExtension(start);
    return true;
  }

  #enter(value: object): void {
    const at = this.#ancestors.indexOf(value);
    if (at >= 0) {
      const back = pathText(this.#where?.name, this.#keys.slice(0, at));
      throw this.#refusal(`a cycle back to ${back}`);
    }
    if (this.#ancestors.length >= DEPTH_MAX) {
      throw this.#refusal(`nested more than ${DEPTH_MAX} deep`);
    }
    this.#ancestors.push(value);
    this.#keys.push(0);
  }

  #leave(): void {
    this.#ancestors.pop();
    this.#keys.pop();
  }

  #refusal(what: string): MfError {
    const path = pathText(this.#where?.name, this.#keys);
    return new MfError("RESULT_UNSTORABLE", { step: this.#where?.step ?? "", path, what });
  }
}

/** Plain objects of another context (vm) have another Object.prototype. */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === "object" &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    className(prototype) === "Object" &&
    Object.hasOwn(prototype, "hasOwnProperty")
  );
}

function className(prototype: unknown): string {
  const maker: unknown = (prototype as { constructor?: unknown } | null)?.constructor;
  return typeof maker === "function" ? maker.name : "";
}

function describeInstance(value: object, name: string): string {
  if (name === "Promise") return "a Promise (is an await missing?)";
  if (value instanceof Error) return `an Error (${value.message.slice(0, 60)})`;
  return name === "" ? "an object with a prototype of its own" : `an instance of class ${name}`;
}
