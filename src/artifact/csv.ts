/**
 * Tables as CSV: UTF-8, comma, a head line where there are names, RFC 4180 quoting, lines ended by a line feed. Null and undefined are
 * empty, an empty text is "", dates are ISO 8601. What is no table has no such form.
 */
import { fileInfoOf } from "./file-brand.ts";
import { isTypedArray, shapeOf, type TypedArray } from "./typed-array.ts";

export interface Table {
  /** Undefined: rows without names. */
  readonly columns: readonly string[] | undefined;
  readonly rows: number;
  /** The value itself has the names: a table by its own account, not just something that can be written as one. */
  readonly isNamed: boolean;
  cells(row: number): readonly unknown[];
}

/**
 * A list of flat objects, of lists, or of plain values; one flat object; an object (or Map) of columns of one length; a Map of plain values or flat objects;
 * a typed array of one or two dimensions. Undefined for anything else.
 */
export function tableOf(value: unknown): Table | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (isTypedArray(value)) return arrayTable(value);
  if (Array.isArray(value)) return listTable(value);
  if (value instanceof Set) return listTable([...value]);
  if (value instanceof Map) return mapTable(value);
  if (!isPlain(value)) return undefined;
  // One flat object is a table of one row.
  const isRow = Object.keys(value).length > 0 && isFlat(value);
  return isRow ? { ...recordTable([value]), isNamed: false } : columnTable(Object.entries(value));
}

/** Piece by piece: a table may be longer than a text can be. */
export function* csvPieces(table: Table): Generator<string> {
  let piece = table.columns === undefined ? "" : `${table.columns.map(quoted).join(",")}\n`;
  const isNarrow = table.columns?.length === 1;
  for (let row = 0; row < table.rows; row++) {
    const line = table.cells(row).map(cellText).join(",");
    // An empty line would be taken for no row at all.
    piece += `${line === "" && isNarrow ? '""' : line}\n`;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

const PIECE_CHARS = 64 * 1024;
const VALUE_COLUMN = "value";
const KEY_COLUMN = "key";

function arrayTable(array: TypedArray): Table | undefined {
  const shape = shapeOf(array) ?? [array.length];
  const [rows = 0, width] = shape;
  if (shape.length === 0 || shape.length > 2) return undefined;
  if (width === undefined)
    return { columns: [VALUE_COLUMN], rows, isNamed: false, cells: (row) => [array[row]] };
  return {
    columns: undefined,
    rows,
    isNamed: false,
    cells: (row) => Array.from({ length: width }, (_, column) => array[row * width + column]),
  };
}

function listTable(list: readonly unknown[]): Table | undefined {
  const rows = list.length;
  if (list.every(isCell)) {
    const columns = rows === 0 ? undefined : [VALUE_COLUMN];
    return { columns, rows, isNamed: false, cells: (row) => [list[row]] };
  }
  if (list.every(isCellList)) {
    const cells = (row: number): unknown[] => Array.from(list[row] as readonly unknown[]);
    return { columns: undefined, rows, isNamed: false, cells };
  }
  return list.every(isFlat) ? recordTable(list) : undefined;
}

/** Columns in the order in which they are first met. */
function recordTable(list: readonly Readonly<Record<string, unknown>>[]): Table {
  const names = new Set<string>();
  for (const item of list) for (const name of Object.keys(item)) names.add(name);
  const columns = [...names];
  return {
    columns,
    isNamed: true,
    rows: list.length,
    cells: (row) => columns.map((name) => ownValue(list[row], name)),
  };
}

function mapTable(map: ReadonlyMap<unknown, unknown>): Table | undefined {
  const entries = [...map];
  if (!entries.every(([key]) => isCell(key))) return undefined;
  const rows = entries.length;
  const keyed = { rows, isNamed: true };
  if (entries.every(([, value]) => isCell(value)))
    return { ...keyed, columns: [KEY_COLUMN, VALUE_COLUMN], cells: (row) => entries[row] ?? [] };
  const values = entries.map(([, value]) => value);
  if (values.every(isFlat)) {
    const { columns = [], cells } = recordTable(values);
    return {
      ...keyed,
      columns: [KEY_COLUMN, ...columns],
      cells: (row) => [entries[row]?.[0], ...cells(row)],
    };
  }
  return columnTable(entries.map(([key, value]) => [cellText(key), value]));
}

function columnTable(entries: readonly (readonly [string, unknown])[]): Table | undefined {
  const lists = entries.map(([, value]) => value);
  const [first] = lists;
  if (!isCellList(first) || !lists.every(isCellList)) return undefined;
  if (lists.some((list) => list.length !== first.length)) return undefined;
  return {
    columns: entries.map(([name]) => name),
    rows: first.length,
    isNamed: true,
    cells: (row) => lists.map((list) => list[row]),
  };
}

function isCell(value: unknown): boolean {
  return typeof value !== "object" ? typeof value !== "function" : value === null || isDate(value);
}

function isDate(value: object): value is Date {
  return Object.prototype.toString.call(value) === "[object Date]";
}

function isCellList(value: unknown): value is ArrayLike<unknown> {
  if (Array.isArray(value)) return value.every(isCell);
  return typeof value === "object" && value !== null && isTypedArray(value)
    ? (shapeOf(value)?.length ?? 1) === 1
    : false;
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.prototype.toString.call(value) === "[object Object]" &&
    fileInfoOf(value) === undefined
  );
}

function isFlat(value: unknown): value is Readonly<Record<string, unknown>> {
  return isPlain(value) && Object.values(value).every(isCell);
}

function ownValue(item: Readonly<Record<string, unknown>> | undefined, name: string): unknown {
  return item !== undefined && Object.hasOwn(item, name) ? item[name] : undefined;
}

function cellText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value === "" ? '""' : quoted(value);
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null || !isDate(value) || Number.isNaN(value.getTime())
        ? ""
        : value.toISOString();
    case "undefined":
    case "function":
    case "symbol":
      return "";
  }
}

function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
