/** Messages between engine, host and worker <-> bytes. Both ends are this program; no type outside plain messagepack occurs. */
import { Packr } from "msgpackr";

const packr = new Packr({ useRecords: false, mapsAsObjects: true, copyBuffers: false });

export function encodeMessage(message: unknown): Uint8Array {
  return packr.pack(message);
}

export function decodeMessage(data: Uint8Array): unknown {
  return packr.unpack(data) as unknown;
}
