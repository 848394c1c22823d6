import type { ErrorRow } from "./error-row.ts";
import { ERROR_TABLE, type ErrorCode } from "./error-table.ts";

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The form in which an error crosses threads, processes and the wire: identity is `code`, never a class. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  /** User code's own message and frames, when there are any. */
  readonly stack?: string;
}

/** An operating error: something outside the program went wrong and the caller may react by `code`. */
export class MfError extends Error {
  override readonly name = "MfError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly remedy: string;
  readonly exitCode: number;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options?: ErrorOptions) {
    const row: ErrorRow = ERROR_TABLE[code];
    super(fill(row.summary, details), options);
    this.code = code;
    this.details = details;
    this.remedy = fill(row.remedy, details);
    this.exitCode = row.exit;
  }
}

export function isMfError(error: unknown, code?: ErrorCode): error is MfError {
  if (!(error instanceof Error) || error.name !== "MfError" || !("code" in error)) return false;
  return code === undefined || error.code === code;
}

export function toErrorRecord(error: unknown): ErrorRecord {
  if (isMfError(error)) return { code: error.code, details: error.details };
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  return { code: "INTERNAL", details: { message }, ...(stack === undefined ? {} : { stack }) };
}

export function fromErrorRecord(record: ErrorRecord): MfError {
  const error = new MfError(record.code, record.details);
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/** What is empty takes the blank before it along. */
function fill(template: string, details: ErrorDetails): string {
  return template.replaceAll(/( ?)\{(\w+)\}/g, (hole, blank: string, key: string) => {
    const value = details[key];
    if (value === undefined) return hole;
    if (value === "") return "";
    return `${blank}${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
}
