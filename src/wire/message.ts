/**
 * A message's bytes and back: msgpackr behind a pre-scan (frame-scan.ts) and a schema. What decodes has exactly the declared
 * fields: unknown ones are dropped, so a newer peer may say more than an older one understands.
 */
import { Packr, Unpackr } from "msgpackr";
import * as v from "valibot";
import { MfError } from "../model/errors.ts";
import { scanFrame } from "./frame-scan.ts";

export interface MessageCodec<M> {
  readonly bytesMax: number;
  /** @throws MfError MESSAGE_MALFORMED where it takes more than `bytesMax` */
  encode(message: M): Uint8Array;
  /** @throws MfError MESSAGE_MALFORMED */
  decode(data: Uint8Array): M;
}

/** Most messages of the control plane fit; a protocol that needs more says how much. */
export const MESSAGE_BYTES_MAX = 64 * 1024;

/** An absent field and one that is undefined are the same; MessagePack has no undefined, and the scan refuses msgpackr's. */
const packOptions = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  skipValues: [undefined],
};
const packr = new Packr(packOptions);
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  copyBuffers: true,
  int64AsType: "number",
});

export function message<S extends v.GenericSchema>(
  schema: S,
  bytesMax: number = MESSAGE_BYTES_MAX,
): MessageCodec<v.InferOutput<S>> {
  return {
    bytesMax,
    encode(value) {
      const data = packr.pack(value);
      if (data.length > bytesMax) throw malformed(`${data.length} bytes, at most ${bytesMax}`);
      return data;
    },
    decode(data) {
      if (data.length > bytesMax) throw malformed(`${data.length} bytes, at most ${bytesMax}`);
      const fault = scanFrame(data);
      if (fault !== undefined) throw malformed(fault);
      let value: unknown;
      try {
        value = unpackr.unpack(data);
      } catch {
        throw malformed("it is no MessagePack");
      }
      const result = v.safeParse(schema, value, { abortEarly: true });
      if (result.success) return result.output;
      const [issue] = result.issues;
      throw malformed(`${v.getDotPath(issue) ?? "the message"}: ${issue.message}`);
    },
  };
}

/** For what goes to several peers: the same object is encoded once. It must not change after it was sent first. */
export function encodedOnce<M>(codec: MessageCodec<M>): MessageCodec<M> {
  const known = new WeakMap<object, Uint8Array>();
  return {
    bytesMax: codec.bytesMax,
    decode: (data) => codec.decode(data),
    encode(value) {
      if (typeof value !== "object" || value === null) return codec.encode(value);
      let data = known.get(value);
      if (data === undefined) known.set(value, (data = codec.encode(value)));
      return data;
    },
  };
}

function malformed(reason: string): MfError {
  return new MfError("MESSAGE_MALFORMED", { reason });
}
