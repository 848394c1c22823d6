/** Texts that a flow or another peer wrote (parameters, code, names) on their way to a terminal. */

// oxlint-disable-next-line no-control-regex -- control characters are what must not reach a terminal
const CONTROL = /[\u0000-\u001F\u007F-\u009F]/g;
const CHARS_MAX = 60;

/** One line, without control characters. */
export function plainLine(text: string): string {
  return text.replaceAll(CONTROL, " ");
}

/** The same, and short enough to stand in a sentence. */
export function shortText(text: string): string {
  const line = plainLine(text.length > 4 * CHARS_MAX ? text.slice(0, 4 * CHARS_MAX) : text);
  return line.length <= CHARS_MAX ? line : `${line.slice(0, CHARS_MAX - 1)}…`;
}
