/** Columns that text takes on a terminal, and cutting to a width. Wide (CJK, emoji) characters take two, combining ones none. */
const COMBINING = /\p{Mark}|\p{Default_Ignorable_Code_Point}/u;
const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{1F300}-\u{1FAFF}]|[\u{20000}-\u{3FFFD}]/u;
// oxlint-disable-next-line no-control-regex -- control characters are what must not reach a terminal
const CONTROL = /[\u0000-\u001F\u007F-\u009F]/g;

export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

function charWidth(char: string): number {
  if (COMBINING.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

/** At most `max` columns; what is cut ends in an ellipsis. */
export function cut(text: string, max: number): string {
  if (widthOf(text) <= max) return text;
  if (max <= 0) return "";
  let width = 0;
  let kept = "";
  for (const char of text) {
    const next = width + charWidth(char);
    if (next > max - 1) break;
    kept += char;
    width = next;
  }
  return `${kept}…`;
}

export function padRight(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

export function padLeft(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}

/** Text of several lines, as it is but for what moves the cursor. */
export function withoutControls(text: string): string {
  return text.replaceAll(CONTROL, (char) => (char === "\n" || char === "\t" ? char : " "));
}

/** Text from a flow (names, notes) must not move the cursor or break a line. */
export function oneLine(text: string): string {
  return text.replaceAll(CONTROL, " ");
}
