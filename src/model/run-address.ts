/**
 * The run's part of a pathspec: `latest`, an id or the beginning of one, `@tag`, or a time (`2026-11-23`, `2026-11-23T14:30`, with `Z`
 * in UTC, else in the time zone of the machine that is asked). Times name the newest run that began no later.
 */
import { tagFault } from "./mark.ts";

export const LATEST = "latest";

export type RunAddress =
  | { readonly k: "latest" }
  | { readonly k: "tag"; readonly tag: string }
  /** First and last millisecond of the day, minute or second that was written. */
  | { readonly k: "time"; readonly from: number; readonly until: number }
  | { readonly k: "id"; readonly id: string };

const ID = /^[0-9a-z]{1,26}$/;
const TIME = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?)?(Z)?$/;
const YEAR_MIN = 1970;

/** What is meant, or in words why nothing is. */
export function readRunAddress(text: string): RunAddress | string {
  if (text === LATEST) return { k: "latest" };
  if (ID.test(text)) return { k: "id", id: text };
  if (text.startsWith("@")) {
    const tag = text.slice(1);
    const fault = tagFault(tag);
    return fault === undefined ? { k: "tag", tag } : `after @ comes a tag, and ${fault}`;
  }
  const parts = TIME.exec(text);
  if (parts === null) return `"${text}" is not a run id, latest, @tag or a time`;
  const span = spanOf(parts);
  return span === undefined ? `there is no time ${text}` : { k: "time", ...span };
}

function spanOf(parts: RegExpExecArray): { from: number; until: number } | undefined {
  const [year = 0, month = 0, day = 0] = parts.slice(1, 4).map(Number);
  const hasTime = parts[4] !== undefined;
  const hasSeconds = parts[6] !== undefined;
  const [hour, minute, second] = [4, 5, 6].map((at) => Number(parts[at] ?? 0)) as [
    number,
    number,
    number,
  ];
  // What rolls over (the 31st of February, 24:00) is no time.
  if (year < YEAR_MIN || month < 1 || month > 12 || day < 1 || day > daysOf(year, month))
    return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const at = (days: number, minutes: number, seconds: number): number => {
    const fields = [year, month - 1, day + days, hour, minute + minutes, second + seconds] as const;
    // oxlint-disable-next-line no-restricted-globals -- reads what was typed, not a clock
    return parts[7] === "Z" ? Date.UTC(...fields) : new Date(...fields).getTime();
  };
  const end = hasSeconds ? at(0, 0, 1) : hasTime ? at(0, 1, 0) : at(1, 0, 0);
  return { from: at(0, 0, 0), until: end - 1 };
}

function daysOf(year: number, month: number): number {
  // oxlint-disable-next-line no-restricted-globals -- arithmetic of the calendar
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
