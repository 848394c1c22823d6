/** The first frame of a connection, both ways: which wire this peer speaks, what admits it, and where it can be dialled. */
import * as v from "valibot";
import { HELLO_BYTES_MAX } from "./admission.ts";
import { message, type MessageCodec } from "./message.ts";

/** Raised when frames or the hello itself change so that an older peer could not follow. */
export const WIRE_VERSION = 1;
export const ADDRESSES_MAX = 16;
export const ADDRESS_CHARS_MAX = 256;

const hello = v.object({
  version: v.pipe(v.number(), v.integer()),
  credentials: v.pipe(
    v.instance(Uint8Array),
    v.check((data) => data.length <= HELLO_BYTES_MAX, "too long"),
  ),
  addresses: v.pipe(
    v.array(v.pipe(v.string(), v.maxLength(ADDRESS_CHARS_MAX))),
    v.maxLength(ADDRESSES_MAX),
  ),
});

export interface Hello {
  readonly version: number;
  readonly credentials: Uint8Array;
  readonly addresses: readonly string[];
}

const schema: v.GenericSchema<unknown, Hello> = hello;

export const helloCodec: MessageCodec<Hello> = message(
  schema,
  HELLO_BYTES_MAX + ADDRESSES_MAX * (ADDRESS_CHARS_MAX + 8) + 128,
);
