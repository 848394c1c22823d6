/**
 * A journal entry as it is sent: texts for people are cut to what a message may carry. A step may throw a message of megabytes; its
 * owner keeps the whole of it, other copies the beginning.
 */
import type { ErrorRecord } from "../model/errors.ts";
import type { JournalEntry } from "../model/journal.ts";

/** Of one entry: what a step threw, and a parameter's text for people. */
const ERROR_BYTES_MAX = 32 * 1024;
const TEXT_CHARS_MAX = 4096;

export function wireEntry(entry: JournalEntry): JournalEntry {
  switch (entry.t) {
    case "run-started":
      return { ...entry, paramTexts: cutTexts(entry.paramTexts) };
    case "attempt-failed":
      return { ...entry, error: wireError(entry.error) };
    case "run-finished":
      return entry.error === undefined ? entry : { ...entry, error: wireError(entry.error) };
    case "owner-changed":
    case "tasks-succeeded":
      return entry;
  }
}

/** About what it takes on the wire. */
export function entryBytes(entry: JournalEntry): number {
  return entry.t === "tasks-succeeded" ? 200 * entry.tasks.length : JSON.stringify(entry).length;
}

function wireError({ code, details, stack }: ErrorRecord): ErrorRecord {
  const text = JSON.stringify(details);
  const message = typeof details["message"] === "string" ? details["message"] : text;
  const isSmall = text.length <= ERROR_BYTES_MAX;
  return {
    code,
    details: isSmall ? details : { message: message.slice(0, TEXT_CHARS_MAX) },
    ...(stack === undefined ? {} : { stack: stack.slice(0, ERROR_BYTES_MAX) }),
  };
}

function cutTexts(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, text.slice(0, TEXT_CHARS_MAX)]),
  );
}
