/**
 * The elements of a list, each an artifact of its own: what each() iterates over. Stored as one structured artifact.
 * Elements up to ELEMENT_INLINE_BYTES_MAX are carried in `bodies`; larger ones are stored on their own (in the same scratch segment).
 * So an element's identity is its content: adding one to a list leaves the others' facts valid.
 */
import { MfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import { defined } from "../std/assert.ts";
import { cidBytes, cidBytesFromDigest, cidFromBytes, digestOf } from "./cid.ts";
import { decodeValue, encodeValue, type ValueOrigin } from "./codec.ts";
import { contentIdOf } from "./content.ts";

export interface ElementTable {
  readonly v: 1;
  readonly count: number;
  /** `count` CIDs in binary form, one after another, with their lengths (they differ by codec). */
  readonly ids: Uint8Array;
  readonly idLengths: Uint8Array;
  /** Bytes of each element's encoding. */
  readonly sizes: Float64Array;
  /** The small elements' encodings, one after another, in order. */
  readonly bodies: Uint8Array;
}

/** An element this small travels inside its table. */
export const ELEMENT_INLINE_BYTES_MAX = 16 * 1024;

export interface EncodedElements {
  readonly table: ElementTable;
  /** The table as a structured value: what is stored. */
  readonly data: Uint8Array;
  /** Elements that do not travel inside: to be stored by the caller (SegmentWriter.putContent gives the same id). */
  readonly large: readonly { readonly id: Cid; readonly data: Uint8Array }[];
}

interface Row {
  readonly idAt: number;
  readonly idBytes: number;
  readonly bodyAt: number;
}

/** Where rows begin, worked out once a table. */
const rowsOf = new WeakMap<ElementTable, readonly Row[]>();

/** @throws MfError RESULT_UNSTORABLE with the path to the element */
export function encodeElementTable(list: Iterable<unknown>, where?: ValueOrigin): EncodedElements {
  const ids: Uint8Array[] = [];
  const sizes: number[] = [];
  const bodies: Uint8Array[] = [];
  const large: { id: Cid; data: Uint8Array }[] = [];
  for (const item of list) {
    const name =
      where === undefined ? undefined : { ...where, name: `${where.name}[${ids.length}]` };
    const { data } = encodeValue(item, name);
    sizes.push(data.length);
    if (data.length <= ELEMENT_INLINE_BYTES_MAX) {
      bodies.push(data);
      ids.push(cidBytesFromDigest("messagepack", digestOf(data)));
      continue;
    }
    const id = contentIdOf("messagepack", data);
    large.push({ id, data });
    ids.push(cidBytes(id));
  }
  const table: ElementTable = {
    v: 1,
    count: ids.length,
    ids: concat(ids),
    idLengths: Uint8Array.from(ids, (id) => id.length),
    sizes: Float64Array.from(sizes),
    bodies: concat(bodies),
  };
  return { table, data: encodeValue(table).data, large };
}

/** @throws MfError CONTENT_MALFORMED */
export function decodeElementTable(data: Uint8Array): ElementTable {
  const value = decodeValue(data);
  const { v, count, ids, idLengths, sizes, bodies } = (value ?? {}) as Partial<ElementTable>;
  if (
    v !== 1 ||
    typeof count !== "number" ||
    !(ids instanceof Uint8Array && idLengths instanceof Uint8Array) ||
    !(sizes instanceof Float64Array && bodies instanceof Uint8Array) ||
    idLengths.length !== count ||
    sizes.length !== count
  ) {
    throw new MfError("CONTENT_MALFORMED", { reason: "it is not an element table" });
  }
  const table: ElementTable = { v, count, ids, idLengths, sizes, bodies };
  const wanted = sizes.reduce(
    (sum, size) => sum + (size <= ELEMENT_INLINE_BYTES_MAX ? size : 0),
    0,
  );
  const idBytes = idLengths.reduce((sum, length) => sum + length, 0);
  const isWhole = sizes.every((size) => Number.isSafeInteger(size) && size > 0);
  if (!isWhole || wanted !== bodies.length || idBytes !== ids.length) {
    throw new MfError("CONTENT_MALFORMED", { reason: "an element table that does not add up" });
  }
  return table;
}

export function elementId(table: ElementTable, position: number): Cid {
  const { idAt, idBytes } = rowAt(table, position);
  return cidFromBytes(table.ids.subarray(idAt, idAt + idBytes));
}

/** The element's encoding where it travels inside the table; otherwise it is stored under its id. */
export function elementBody(table: ElementTable, position: number): Uint8Array | undefined {
  const { bodyAt } = rowAt(table, position);
  const size = table.sizes[position] ?? 0;
  return size > ELEMENT_INLINE_BYTES_MAX ? undefined : table.bodies.subarray(bodyAt, bodyAt + size);
}

function rowAt(table: ElementTable, position: number): Row {
  let rows = rowsOf.get(table);
  if (rows === undefined) {
    rows = measure(table);
    rowsOf.set(table, rows);
  }
  return defined(rows[position], "a position within the table");
}

function measure(table: ElementTable): Row[] {
  const rows: Row[] = [];
  let idAt = 0;
  let bodyAt = 0;
  for (let i = 0; i < table.count; i++) {
    const idBytes = table.idLengths[i] ?? 0;
    const size = table.sizes[i] ?? 0;
    rows.push({ idAt, idBytes, bodyAt });
    idAt += idBytes;
    if (size <= ELEMENT_INLINE_BYTES_MAX) bodyAt += size;
  }
  return rows;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
