/** Tables: an array of flat objects, or an object of columns of one length. Rows by what is in them, columns by name. */
import { DIFF_SHOWN_MAX, signed, valueText, type ValueDiff } from "./diff-text.ts";

/** Rows that are compared; the rest only counts. */
export const DIFF_ROWS_MAX = 200_000;
const COLUMNS_MAX = 1_000;

export interface Table {
  readonly columns: readonly string[];
  readonly length: number;
  readonly cell: (row: number, column: string) => unknown;
}

/** Undefined where it is none. */
export function tableOf(value: object): Table | undefined {
  if (Array.isArray(value)) return rowTable(value);
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) return undefined;
  return columnTable(value as Readonly<Record<string, unknown>>);
}

function rowTable(rows: readonly unknown[]): Table | undefined {
  const columns = new Set<string>();
  for (const row of rows.slice(0, DIFF_ROWS_MAX)) {
    if (typeof row !== "object" || row === null || Array.isArray(row) || ArrayBuffer.isView(row))
      return undefined;
    for (const [name, cell] of Object.entries(row)) {
      if (!isCell(cell)) return undefined;
      columns.add(name);
    }
    if (columns.size > COLUMNS_MAX) return undefined;
  }
  if (columns.size === 0) return undefined;
  const cell = (row: number, column: string): unknown =>
    (rows[row] as Readonly<Record<string, unknown>> | undefined)?.[column];
  return { columns: [...columns], length: rows.length, cell };
}

function columnTable(value: Readonly<Record<string, unknown>>): Table | undefined {
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > COLUMNS_MAX) return undefined;
  const columns = new Map<string, ArrayLike<unknown>>();
  const lengths = new Set<number>();
  for (const [name, column] of entries) {
    const isColumn =
      Array.isArray(column) ||
      (ArrayBuffer.isView(column) &&
        !(column instanceof DataView) &&
        !(column instanceof Uint8Array));
    if (!isColumn) return undefined;
    const cells = column as unknown as ArrayLike<unknown>;
    if (Array.isArray(column) && !column.slice(0, DIFF_ROWS_MAX).every(isCell)) return undefined;
    lengths.add(cells.length);
    columns.set(name, cells);
  }
  const [length] = lengths;
  if (lengths.size !== 1 || length === undefined || length === 0) return undefined;
  const cell = (row: number, column: string): unknown => columns.get(column)?.[row];
  return { columns: entries.map(([name]) => name), length, cell };
}

function isDate(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Date]";
}

function isCell(value: unknown): boolean {
  return typeof value !== "object" || value === null || isDate(value);
}

interface ColumnChange {
  readonly column: string;
  changed: number;
  maxAbs: number;
}

/** Undefined where they are equal. */
export function diffTables(a: Table, b: Table): ValueDiff | undefined {
  const addedColumns = b.columns.filter((name) => !a.columns.includes(name));
  const removedColumns = a.columns.filter((name) => !b.columns.includes(name));
  const shared = a.columns.filter((name) => b.columns.includes(name));
  const { added, removed } = rowChanges(a, b, shared);
  const columns = a.length === b.length ? columnChanges(a, b, shared) : [];
  const isCut = Math.max(a.length, b.length) > DIFF_ROWS_MAX;
  const count = added + removed + addedColumns.length + removedColumns.length + columns.length;
  if (count === 0 && a.length === b.length && !isCut) return undefined;
  const parts = [
    a.length === b.length ? `${a.length} rows` : `${a.length} → ${b.length} rows`,
    `${removed} removed`,
    `${added} added`,
    ...(columns.length > 0
      ? [
          `columns changed: ${columns
            .map(({ column }) => column)
            .slice(0, 8)
            .join(", ")}`,
        ]
      : []),
    ...(removedColumns.length > 0
      ? [`columns removed: ${removedColumns.slice(0, 8).join(", ")}`]
      : []),
    ...(addedColumns.length > 0 ? [`columns added: ${addedColumns.slice(0, 8).join(", ")}`] : []),
  ];
  const lines = columns.map(
    ({ column, changed, maxAbs }) =>
      `${column}: ${changed} cells${maxAbs > 0 ? `, largest difference ${signed(maxAbs).replace("+", "")}` : ""}`,
  );
  return {
    of: "table",
    summary: parts.join(", "),
    lines: lines.slice(0, DIFF_SHOWN_MAX),
    details: {
      rows: [a.length, b.length],
      rowsAdded: added,
      rowsRemoved: removed,
      columnsAdded: addedColumns,
      columnsRemoved: removedColumns,
      columnsChanged: columns.slice(0, DIFF_SHOWN_MAX),
    },
    ...(isCut ? { isCut } : {}),
  };
}

/** Rows as a multiset: one that only moved is neither. */
function rowChanges(
  a: Table,
  b: Table,
  columns: readonly string[],
): { readonly added: number; readonly removed: number } {
  const counts = new Map<string, number>();
  const looked = [Math.min(a.length, DIFF_ROWS_MAX), Math.min(b.length, DIFF_ROWS_MAX)] as const;
  for (let row = 0; row < looked[0]; row++) {
    const key = rowKey(a, row, columns);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  let added = 0;
  for (let row = 0; row < looked[1]; row++) {
    const key = rowKey(b, row, columns);
    const left = counts.get(key) ?? 0;
    if (left > 0) counts.set(key, left - 1);
    else added++;
  }
  return { added, removed: looked[0] - (looked[1] - added) };
}

function rowKey(table: Table, row: number, columns: readonly string[]): string {
  return columns.map((column) => cellText(table.cell(row, column))).join("\u0000");
}

function cellText(cell: unknown): string {
  if (isDate(cell)) return String(Number(cell));
  return typeof cell === "string" ? JSON.stringify(cell) : valueText(cell);
}

/** Cell by cell, where there are as many rows. */
function columnChanges(a: Table, b: Table, columns: readonly string[]): ColumnChange[] {
  const rows = Math.min(a.length, DIFF_ROWS_MAX);
  return columns.flatMap((column) => {
    const change: ColumnChange = { column, changed: 0, maxAbs: 0 };
    for (let row = 0; row < rows; row++) {
      const old = a.cell(row, column);
      const now = b.cell(row, column);
      if (Object.is(old, now) || cellText(old) === cellText(now)) continue;
      change.changed++;
      if (typeof old === "number" && typeof now === "number")
        change.maxAbs = Math.max(change.maxAbs, Math.abs(now - old));
    }
    return change.changed === 0 ? [] : [change];
  });
}
