/** A stretch of time as a person says it: `40 s`, `61 min`, `5 h`, `12 d`. And a moment: ISO, to the minute. */
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function spanText(ms: number): string {
  const span = Math.abs(ms);
  if (span < 2 * MINUTE) return `${Math.round(span / SECOND)} s`;
  if (span < 2 * HOUR) return `${Math.round(span / MINUTE)} min`;
  if (span < 2 * DAY) return `${Math.round(span / HOUR)} h`;
  return `${Math.round(span / DAY)} d`;
}

/** `2026-11-23 13:05 UTC`. */
export function momentText(at: number): string {
  // oxlint-disable-next-line no-restricted-globals -- only writes down a time that a clock has given
  const iso = new Date(Math.min(at, 8.64e15)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
