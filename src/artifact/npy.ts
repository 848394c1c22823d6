/** A typed array (with its shape) as a .npy file, version 1.0, C order, little-endian. */
import { MfError } from "../model/errors.ts";
import { isTypedArray, shapeOf, typedArrayName } from "./typed-array.ts";

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

/** @throws MfError FORMAT_UNSUPPORTED */
export function encodeNpy(value: unknown): Uint8Array {
  const descr = isTypedArray(value) ? DESCRIPTIONS[typedArrayName(value)] : undefined;
  if (!isTypedArray(value) || descr === undefined) {
    const details = { what: "A value that is no typed array", format: "npy", formats: "json" };
    throw new MfError("FORMAT_UNSUPPORTED", details);
  }
  const shape = shapeOf(value) ?? [value.length];
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sides}), }`;
  // The data starts at a multiple of 64.
  const length = Math.ceil((MAGIC.length + 2 + text.length + 1) / 64) * 64 - MAGIC.length - 2;
  const size = Buffer.alloc(2);
  size.writeUInt16LE(length);
  const head = Buffer.from(`${text.padEnd(length - 1)}\n`, "latin1");
  const data = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.concat([MAGIC, size, head, data]);
}
