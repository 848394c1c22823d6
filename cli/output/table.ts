/** Rows as a table on a terminal, as tab-separated values in a pipe (one header line; tabs and line breaks inside values become spaces). */
import { createPaint } from "./paint.ts";
import type { Style } from "./paint.ts";
import type { Terminal } from "./terminal.ts";
import { cut, oneLine, padLeft, padRight, widthOf } from "./text-width.ts";

export interface Column<Row> {
  readonly title: string;
  /** For people. */
  readonly text: (row: Row) => string;
  /** For programs, in a pipe; `text` where absent. */
  readonly raw?: (row: Row) => string;
  readonly align?: "right";
  /** Never shortened: it is there to be copied. */
  readonly isWhole?: boolean;
  readonly style?: (row: Row) => Style;
}

export function writeTable<Row>(
  terminal: Terminal,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): void {
  terminal.out(terminal.isOutTty ? drawTable(terminal, rows, columns) : drawTsv(rows, columns));
}

export function drawTsv<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  // As they are named in options and in JSON.
  const lines = [columns.map((column) => column.title).join("\t")];
  for (const row of rows) {
    lines.push(columns.map((column) => oneLine((column.raw ?? column.text)(row))).join("\t"));
  }
  return `${lines.join("\n")}\n`;
}

export function drawTable<Row>(
  terminal: Pick<Terminal, "width" | "colourOut">,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): string {
  const paint = createPaint(terminal.colourOut);
  const cells = rows.map((row) => columns.map((column) => oneLine(column.text(row))));
  const widths = columns.map((column, at) =>
    Math.max(widthOf(titleOf(column)), ...cells.map((row) => widthOf(row[at] ?? ""))),
  );
  shrink(
    widths,
    terminal.width() - 2 * (columns.length - 1),
    columns.map(({ isWhole }) => isWhole === true),
  );
  const fit = (text: string, at: number): string => {
    const width = widths[at] ?? 0;
    const short = cut(text, width);
    if (columns[at]?.align === "right") return padLeft(short, width);
    return at === columns.length - 1 ? short : padRight(short, width);
  };
  const lines = [columns.map((column, at) => paint.bold(fit(titleOf(column), at))).join("  ")];
  for (const [position, row] of rows.entries()) {
    const texts = cells[position] ?? [];
    lines.push(
      columns
        .map((column, at) => (column.style?.(row) ?? String)(fit(texts[at] ?? "", at)))
        .join("  "),
    );
  }
  return `${lines.join("\n")}\n`;
}

/** `seenAt` reads SEEN AT on a terminal. */
function titleOf({ title }: { readonly title: string }): string {
  return title.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toUpperCase();
}

/** Takes columns from the widest until all fit; never below what a short id needs. */
function shrink(widths: number[], max: number, isWhole: readonly boolean[]): void {
  const least = 8;
  let total = widths.reduce((sum, width) => sum + width, 0);
  while (total > max) {
    const widest = Math.max(...widths.filter((_, at) => isWhole[at] !== true));
    if (widest <= least) return;
    widths[widths.findIndex((width, at) => width === widest && isWhole[at] !== true)] = widest - 1;
    total -= 1;
  }
}
