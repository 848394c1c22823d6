/** What a step returned, as stored outputs: small ones inline, large ones in the batch's scratch segment. */
import { dirname } from "node:path";
import { encodeElementTable } from "../artifact/element-table.ts";
import { encodeValue, kindOf } from "../artifact/codec.ts";
import { writeContent, type ContentSink } from "../artifact/content.ts";
import { MfError } from "../model/errors.ts";
import type { StoredOutput } from "../store/ports.ts";
import { SegmentWriter } from "../store/segment/segment-writer.ts";
import { isDiskFull } from "../std/disk-full.ts";
import { asList } from "./load-inputs.ts";

/** The batch's scratch segment, made when the first large output comes. After a write error nothing in it counts. */
export class ScratchSegment {
  readonly #path: string;
  #writer: SegmentWriter | undefined;
  #fault: MfError | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws MfError STORE_FULL, and what the system says */
  write<T>(use: (writer: SegmentWriter) => T): T {
    if (this.#fault !== undefined) throw this.#fault;
    try {
      this.#writer ??= new SegmentWriter(this.#path);
      return use(this.#writer);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#fault ??= new MfError(
        "STORE_FULL",
        { home: dirname(dirname(this.#path)) },
        { cause: error },
      );
      throw this.#fault;
    }
  }

  /** The path, if anything was written. @throws as write */
  finish(): string | undefined {
    if (this.#writer === undefined && this.#fault === undefined) return undefined;
    this.write((writer) => writer.finish());
    return this.#path;
  }
}

export interface StoredOutputs {
  readonly outputs: Record<string, StoredOutput>;
  readonly tables: Record<string, StoredOutput>;
}

/** A property that is undefined is an artifact of kind `undefined`: steps may read it. @throws MfError RESULT_NOT_OBJECT, RESULT_UNSTORABLE, EACH_NOT_LIST */
export function storeOutputs(
  result: unknown,
  step: string,
  eachOutputs: readonly string[],
  scratch: ScratchSegment,
): StoredOutputs {
  const outputs: Record<string, StoredOutput> = {};
  const tables: Record<string, StoredOutput> = {};
  for (const [name, value] of Object.entries(resultObject(result, step))) {
    const encoded = encodeValue(value, { step, name });
    setOwn(outputs, name, storeBytes(encoded.data, encoded.kind, scratch));
    if (eachOutputs.includes(name)) {
      setOwn(
        tables,
        name,
        storeTable(asList(value, { step, source: name }), { step, name }, scratch),
      );
    }
  }
  return { outputs, tables };
}

export function storeTable(
  list: Iterable<unknown>,
  where: { step: string; name: string },
  scratch: ScratchSegment,
): StoredOutput {
  const { table, data, large } = encodeElementTable(list, where);
  for (const element of large)
    scratch.write((writer) => writer.putContent("messagepack", element.data));
  return storeBytes(data, `elements[${table.count}]`, scratch);
}

function storeBytes(data: Uint8Array, kind: string, scratch: ScratchSegment): StoredOutput {
  const sink: ContentSink = {
    append: (codec, piece) => scratch.write((writer) => writer.append(codec, piece)),
  };
  const { id, bytes, inline } = writeContent(sink, "messagepack", data);
  const ref = { id, bytes, kind };
  return inline === undefined ? { ref } : { ref, data: inline };
}

function resultObject(result: unknown, step: string): object {
  if (result === undefined) return {};
  if (typeof result === "object" && result !== null) {
    const prototype: unknown = Object.getPrototypeOf(result);
    // Steps share the thread's realm, but a value made by another vm context is a plain object too.
    if (prototype === null || Object.getPrototypeOf(prototype) === null) {
      if (Object.prototype.toString.call(result) === "[object Object]") return result;
    }
  }
  throw new MfError("RESULT_NOT_OBJECT", { step, what: result === null ? "null" : kindOf(result) });
}

function setOwn<T>(target: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(target, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
