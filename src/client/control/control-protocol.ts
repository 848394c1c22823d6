/**
 * The frames of the control socket: one JSON object a line, each with the protocol's version. Bytes travel as {"$bytes": base64}.
 * A side that sees another version answers or fails with NOT_AVAILABLE instead of guessing.
 */
import type { ErrorRecord } from "../../model/errors.ts";

export const CONTROL_VERSION = 1;
/** A question is a name and a few short texts; a list of content ids is the longest. */
export const REQUEST_BYTES_MAX = 1024 * 1024;
/** An answer may hold a list of all versions; more than this is a fault of the other side. */
export const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;
/** Questions of one connection that may wait at once. */
export const REQUESTS_PENDING_MAX = 64;

export interface ControlRequest {
  readonly v: number;
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export type ControlResponse =
  | { readonly v: number; readonly id: number; readonly result: unknown }
  | { readonly v: number; readonly id: number; readonly error: ErrorRecord };

export function encodeFrame(frame: ControlRequest | ControlResponse): string {
  return `${JSON.stringify(frame, bytesToText)}\n`;
}

/** Undefined where the line is not a question in this protocol's form. */
export function decodeRequest(line: string): ControlRequest | undefined {
  const value = parse(line);
  if (value === undefined) return undefined;
  const { v, id, method, params } = value;
  if (typeof v !== "number" || typeof id !== "number" || typeof method !== "string")
    return undefined;
  if (!Array.isArray(params)) return undefined;
  return { v, id, method, params };
}

export function decodeResponse(line: string): ControlResponse | undefined {
  const value = parse(line);
  if (value === undefined) return undefined;
  const { v, id } = value;
  if (typeof v !== "number" || typeof id !== "number") return undefined;
  const error = value["error"];
  if (typeof error === "object" && error !== null && "code" in error) {
    return { v, id, error: error as ErrorRecord };
  }
  return { v, id, result: value["result"] };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line, textToBytes);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function bytesToText(this: unknown, key: string, value: unknown): unknown {
  // Buffer has a toJSON of its own that runs before this function: look at the holder's property instead.
  const original = (this as Record<string, unknown>)[key];
  if (original instanceof Uint8Array) {
    const { buffer, byteOffset, byteLength } = original;
    return { $bytes: Buffer.from(buffer, byteOffset, byteLength).toString("base64") };
  }
  return value;
}

function textToBytes(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("$bytes" in value)) return value;
  const text = value.$bytes;
  return typeof text === "string" ? new Uint8Array(Buffer.from(text, "base64")) : value;
}

/** Cuts a stream into lines; a line over `bytesMax` is a fault, reported once. */
export class LineSplitter {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Undefined once a line is too long: the connection must end. */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      if (this.#bytes + at - from > this.#bytesMax) return undefined;
      this.#pieces.push(chunk.subarray(from, at));
      lines.push(Buffer.concat(this.#pieces).toString("utf8"));
      this.#pieces = [];
      this.#bytes = 0;
      from = at + 1;
    }
    const rest = chunk.subarray(from);
    this.#bytes += rest.length;
    if (this.#bytes > this.#bytesMax) return undefined;
    if (rest.length > 0) this.#pieces.push(rest);
    return lines;
  }
}
