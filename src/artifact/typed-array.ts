/** The typed arrays that can be stored: their names, their codes in the encoding, and how to make one. Codes never change. */

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A numpy array on its way through JavaScript: a typed array that carries its shape (C order). */
export type Shaped = TypedArray & { readonly shape?: readonly number[] };

interface TypedArrayMaker {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): TypedArray;
}

interface TypedArrayKind {
  readonly name: string;
  readonly make: TypedArrayMaker;
}

/** Position = code. */
const KINDS: readonly TypedArrayKind[] = [
  { name: "Int8Array", make: Int8Array },
  { name: "Uint8Array", make: Uint8Array },
  { name: "Uint8ClampedArray", make: Uint8ClampedArray },
  { name: "Int16Array", make: Int16Array },
  { name: "Uint16Array", make: Uint16Array },
  { name: "Int32Array", make: Int32Array },
  { name: "Uint32Array", make: Uint32Array },
  { name: "Float32Array", make: Float32Array },
  { name: "Float64Array", make: Float64Array },
  { name: "BigInt64Array", make: BigInt64Array },
  { name: "BigUint64Array", make: BigUint64Array },
];

export function isTypedArray(value: unknown): value is TypedArray {
  return ArrayBuffer.isView(value) && !(tagOf(value) === "DataView");
}

/** `Float64Array`; for a Buffer, `Uint8Array`. Undefined for kinds of array that cannot be stored. */
export function typedArrayCode(value: TypedArray): number | undefined {
  const code = KINDS.findIndex((kind) => kind.name === tagOf(value));
  return code < 0 ? undefined : code;
}

export function typedArrayName(value: TypedArray): string {
  return tagOf(value);
}

export function elementBytes(code: number): number | undefined {
  return KINDS[code]?.make.BYTES_PER_ELEMENT;
}

export function makeTypedArray(
  code: number,
  buffer: ArrayBuffer,
  offset: number,
  length: number,
): TypedArray | undefined {
  const kind = KINDS[code];
  return kind === undefined ? undefined : new kind.make(buffer, offset, length);
}

/** The shape a typed array carries, if it fits its length. */
export function shapeOf(value: Shaped): readonly number[] | undefined {
  const shape = Object.hasOwn(value, "shape") ? value.shape : undefined;
  if (!Array.isArray(shape) || shape.length > 32) return undefined;
  const product = shape.reduce<number>((all, side) => all * Number(side), 1);
  return shape.every((side) => Number.isSafeInteger(side) && side >= 0) && product === value.length
    ? shape
    : undefined;
}

export function withShape(value: TypedArray, shape: readonly number[]): Shaped {
  return Object.defineProperty(value, "shape", { value: shape, configurable: true });
}

function tagOf(value: object): string {
  return String((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]);
}
