/**
 * The frames of the control socket: one JSON object a line, each with the protocol's version. Bytes travel as {"$bytes": base64}.
 * A question {v,id,method,params} has any number of events {v,id,event} and then one result or error; {v,id,cancel:true} asks for
 * its end. A side that sees another version answers or fails with NOT_AVAILABLE instead of guessing.
 */
import { ERROR_TABLE } from "../../model/error-table.ts";
import type { ErrorRecord } from "../../model/errors.ts";

export const CONTROL_VERSION = 3;
/** A question is a name and a few short texts; a list of content ids is the longest. */
export const REQUEST_BYTES_MAX = 1024 * 1024;
/** A submitted flow carries its bundle and, for each step, its slice. Only `submit` may be so long. */
export const SUBMIT_BYTES_MAX = 64 * 1024 * 1024;
/** An answer may hold a list of all versions; more than this is a fault of the other side. */
export const RESPONSE_BYTES_MAX = 256 * 1024 * 1024;
/** Questions of one connection that may wait at once. */
export const REQUESTS_PENDING_MAX = 64;
/** Connections at once: a shell loop of commands, and then some. */
export const CONNECTIONS_MAX = 128;
/** Unsent bytes of a connection above which producers of events are asked to wait, and no more questions are read. */
export const UNSENT_BYTES_HIGH = 1024 * 1024;
/** Unsent bytes above which events are dropped: of a producer that does not wait. */
export const UNSENT_BYTES_MAX = 16 * 1024 * 1024;

export interface ControlRequest {
  readonly v: number;
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export interface ControlCancel {
  readonly v: number;
  readonly id: number;
  readonly cancel: true;
}

export type ControlResponse =
  | { readonly v: number; readonly id: number; readonly event: unknown }
  | { readonly v: number; readonly id: number; readonly result: unknown }
  | { readonly v: number; readonly id: number; readonly error: ErrorRecord };

/** Takes one event of a stream; resolves once there is room for the next. A producer that cannot wait may lose events. */
export type Emit<E> = (event: E) => void | Promise<void>;

export function encodeFrame(frame: ControlRequest | ControlCancel | ControlResponse): string {
  return `${JSON.stringify(frame, bytesToText)}\n`;
}

/** Undefined where the line is not a question, or the end of one, in this protocol's form. */
export function decodeRequest(line: string): ControlRequest | ControlCancel | undefined {
  const value = parse(line);
  if (value === undefined) return undefined;
  const { v, id, method, params, cancel } = value;
  if (typeof v !== "number" || typeof id !== "number") return undefined;
  if (cancel === true) return { v, id, cancel };
  if (typeof method !== "string" || !Array.isArray(params)) return undefined;
  return { v, id, method, params };
}

export function decodeResponse(line: string): ControlResponse | undefined {
  const value = parse(line);
  if (value === undefined) return undefined;
  const { v, id } = value;
  if (typeof v !== "number" || typeof id !== "number") return undefined;
  if (Object.hasOwn(value, "event")) return { v, id, event: value["event"] };
  const error = value["error"];
  if (typeof error === "object" && error !== null) return { v, id, error: knownError(error) };
  return { v, id, result: value["result"] };
}

/** An error of another version may have a code that this one does not know. */
function knownError(error: object): ErrorRecord {
  const record = error as { readonly code?: unknown };
  if (Object.hasOwn(ERROR_TABLE, String(record.code))) return error as ErrorRecord;
  return { code: "INTERNAL", details: { message: `error ${String(record.code)}` } };
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
