/** One event of the log: a JSON line for programs, and the same as a line for people. Control characters never reach a terminal. */
import { LOG_FIELD_DEPTH_MAX, LOG_LINE_BYTES_MAX } from "./observe-limits.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogEvent {
  /** ISO. */
  readonly at: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function logEvent(
  at: number,
  level: LogLevel,
  event: string,
  fields: Record<string, unknown> = {},
): LogEvent {
  // oxlint-disable-next-line no-restricted-globals -- only writes down a time that a clock has given
  return { at: new Date(at).toISOString(), level, event, fields };
}

/** {at, level, event, ...fields}; a field cannot take the place of one of the three. */
export function encodeLogLine(logged: LogEvent): string {
  const { at, level, event, fields } = logged;
  const plain = plainFields(fields, LOG_FIELD_DEPTH_MAX);
  const line = JSON.stringify(Object.assign({ at, level, event }, plain, { at, level, event }));
  if (Buffer.byteLength(line) <= LOG_LINE_BYTES_MAX) return line;
  const cut = JSON.stringify(plain).slice(0, LOG_LINE_BYTES_MAX / 4);
  return JSON.stringify({ at, level, event, cut });
}

/** Undefined where the line is none of ours: cut off by a crash, or written by somebody else. */
export function decodeLogLine(line: string): LogEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return undefined;
    const { at, level, event, ...fields } = value as Record<string, unknown>;
    const known = LOG_LEVELS.find((name) => name === level);
    if (typeof at !== "string" || known === undefined || typeof event !== "string") {
      return undefined;
    }
    return { at, level: known, event, fields };
  } catch {
    return undefined;
  }
}

/** `13:05:01.123 warn  clock-skewed peer=… difference="60 min"`. */
export function logText(logged: LogEvent): string {
  const fields = Object.entries(logged.fields).map(
    ([name, value]) => ` ${name}=${valueText(value)}`,
  );
  const head = `${logged.at.slice(11, 23)} ${logged.level.padEnd(5)} ${logged.event}`;
  return printable(`${head}${fields.join("")}`);
}

function valueText(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  return JSON.stringify(value) ?? "undefined";
}

function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (letter) => {
    return `\\x${(letter.codePointAt(0) ?? 0).toString(16).padStart(2, "0")}`;
  });
}

function plainFields(fields: Readonly<Record<string, unknown>>, depth: number): object {
  const named = Object.entries(fields).map(([name, value]) => [name, plain(value, depth)]);
  return Object.fromEntries(named) as object;
}

/** What JSON can say: an error is its name and message, bytes are their count, what is too deep or turns in a circle is named. */
function plain(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return typeof value;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return plainError(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (depth <= 0) return "…";
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => plain(item, depth - 1));
  if (value instanceof Map || value instanceof Set) return plain([...value], depth);
  return plainFields(value as Record<string, unknown>, depth - 1);
}

function plainError(error: Error): object {
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  return { name: error.name, ...code, message: error.message, stack: error.stack };
}
