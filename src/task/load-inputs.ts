/** Inputs as values. Every attempt decodes its own copy, so that no attempt sees what another did to an input. */
import { decodeValue } from "../artifact/codec.ts";
import type { FileInfo } from "../artifact/file-brand.ts";
import { MfError } from "../model/errors.ts";
import type { InputSource, TaskInputs } from "../model/fact.ts";

export interface InputReader {
  /** Verified bytes of stored content, in memory of the attempt's own. */
  read(id: string): Promise<Uint8Array>;
  file(info: FileInfo): unknown;
}

export async function loadInputs(inputs: TaskInputs, reader: InputReader): Promise<unknown> {
  const load = new Loader(reader);
  if ("whole" in inputs) return load.value(inputs.whole);
  return load.fields(inputs.fields);
}

class Loader {
  readonly #reader: InputReader;
  /** One artifact read by several inputs of an attempt is decoded once. */
  readonly #decoded = new Map<string, unknown>();

  constructor(reader: InputReader) {
    this.#reader = reader;
  }

  async value(source: InputSource): Promise<unknown> {
    switch (source.k) {
      case "bytes":
        return this.#decode(Uint8Array.from(source.data));
      case "artifact":
        return (source.path ?? []).reduce(property, await this.#artifact(source.id));
      case "list": {
        const items: unknown[] = [];
        for (const item of source.items) items.push(await this.value(item));
        return items;
      }
      case "object":
        return this.fields(source.fields);
    }
  }

  async fields(fields: Readonly<Record<string, InputSource>>): Promise<Record<string, unknown>> {
    const values: [string, unknown][] = [];
    for (const [name, source] of Object.entries(fields))
      values.push([name, await this.value(source)]);
    return Object.fromEntries(values);
  }

  async #artifact(id: string): Promise<unknown> {
    if (this.#decoded.has(id)) return this.#decoded.get(id);
    const value = this.#decode(await this.#reader.read(id));
    this.#decoded.set(id, value);
    return value;
  }

  /** `data` is a private copy, so views of it may be handed out. */
  #decode(data: Uint8Array): unknown {
    return decodeValue(data, { file: (info) => this.#reader.file(info), share: true });
  }
}

function property(value: unknown, name: string): unknown {
  if (value === null || typeof value !== "object" || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** For splitContent: the list behind `path`. @throws MfError EACH_NOT_LIST */
export function listAt(
  data: Uint8Array,
  request: { step: string; source: string; path: readonly string[] },
): Iterable<unknown> {
  const value = request.path.reduce(property, decodeValue(data));
  return asList(value, request);
}

export function asList(value: unknown, where: { step: string; source: string }): Iterable<unknown> {
  const isView = ArrayBuffer.isView(value) && !(value instanceof DataView);
  if (Array.isArray(value) || value instanceof Set || isView) return value as Iterable<unknown>;
  const what = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  throw new MfError("EACH_NOT_LIST", { source: where.source, step: where.step, what });
}
