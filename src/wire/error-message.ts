/** An error's way over the wire: its code and its details. A stack stays where it happened: paths are nobody else's business. */
import * as v from "valibot";
import { ERROR_TABLE, type ErrorCode } from "../model/error-table.ts";
import { isMfError, MfError, type ErrorDetails } from "../model/errors.ts";
import { message, type MessageCodec } from "./message.ts";

const record = v.object({
  code: v.pipe(v.string(), v.maxLength(64)),
  details: v.record(v.pipe(v.string(), v.maxLength(64)), v.unknown()),
});

type WireError = v.InferOutput<typeof record>;

/** Details are for people: the longest one, a message of an inner error, is cut here. */
const DETAIL_CHARS_MAX = 4_000;
const DETAILS_MAX = 16;

const codec: MessageCodec<WireError> = message(record);

export function encodeError(error: unknown): Uint8Array {
  const known = isMfError(error);
  const details = known ? error.details : { message: thrownText(error) };
  return codec.encode({ code: known ? error.code : "INTERNAL", details: plainDetails(details) });
}

/** @throws MfError MESSAGE_MALFORMED */
export function decodeError(data: Uint8Array): MfError {
  const { code, details } = codec.decode(data);
  if (isErrorCode(code)) return new MfError(code, details);
  return new MfError("INTERNAL", { message: `${code}: ${JSON.stringify(details)}` });
}

/** Anything may be thrown, an object without a usable toString too. */
export function thrownText(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** What JSON can say of them: a detail that cannot be encoded must not take the place of the error it explains. */
function plainDetails(details: ErrorDetails): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(details).slice(0, DETAILS_MAX)) {
    const text = jsonText(value);
    if (text === undefined) continue;
    const isShort = text.length <= DETAIL_CHARS_MAX;
    plain[key.slice(0, 64)] = isShort ? JSON.parse(text) : cut(value, text);
  }
  return plain;
}

function cut(value: unknown, text: string): string {
  return `${(typeof value === "string" ? value : text).slice(0, DETAIL_CHARS_MAX)}…`;
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(thrownText(value));
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code);
}
