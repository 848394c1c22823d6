import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { csvPieces, tableOf } from "../../../src/artifact/csv.ts";
import { brandedFile } from "../../../src/artifact/file-brand.ts";
import { withShape } from "../../../src/artifact/typed-array.ts";

function csv(value: unknown): string | undefined {
  const table = tableOf(value);
  return table === undefined ? undefined : [...csvPieces(table)].join("");
}

/** A strict reader of what RFC 4180 says of quotes, with line feeds. */
function read(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^,"\n\r]*)(,|\n)/y;
  for (let match = cell.exec(text); match !== null; match = cell.exec(text)) {
    const [, raw = "", end] = match;
    row.push(raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw);
    if (end === ",") continue;
    rows.push(row);
    row = [];
    if (cell.lastIndex === text.length) return rows;
  }
  return rows;
}

test("lists, columns, maps and arrays are tables", () => {
  const cases: readonly (readonly [value: unknown, text: string])[] = [
    [
      [
        { a: 1, b: "x" },
        { b: "y", c: true },
      ],
      "a,b,c\n1,x,\n,y,true\n",
    ],
    [{ x: [1, 2], y: new Float32Array([0.5, -1]) }, "x,y\n1,0.5\n2,-1\n"],
    [[[1, "a"], [2, "b"], [3]], "1,a\n2,b\n3\n"],
    [[1, null, "x"], 'value\n1\n""\nx\n'],
    [new Set([1n, 2n]), "value\n1\n2\n"],
    [new Map([["a", 1]]), "key,value\na,1\n"],
    [
      new Map([
        [1, { u: 2 }],
        [3, { v: 4 }],
      ]),
      "key,u,v\n1,2,\n3,,4\n",
    ],
    [
      new Map([
        ["p", [1]],
        ["q", [2]],
      ]),
      "p,q\n1,2\n",
    ],
    [new Int8Array([1, -1]), "value\n1\n-1\n"],
    [withShape(new Float64Array([1, 2, 3, 4]), [2, 2]), "1,2\n3,4\n"],
    [{ lr: 0.1, depth: 2 }, "lr,depth\n0.1,2\n"],
    [[], ""],
    [[{}], "\n\n"],
    [[new Date(0), Number.NaN, -Infinity], "value\n1970-01-01T00:00:00.000Z\nNaN\n-Infinity\n"],
  ];
  for (const [value, text] of cases) assert.equal(csv(value), text);
});

test("what is no table has no form", () => {
  const none: readonly unknown[] = [
    null,
    5,
    "text",
    {},
    [{ a: { b: 1 } }],
    [[[1]]],
    { x: [1], y: [1, 2] },
    { x: [1], y: 2 },
    new Map([[{}, 1]]),
    new DataView(new ArrayBuffer(1)),
    withShape(new Float64Array(8), [2, 2, 2]),
    brandedFile({ id: "b", name: "a", size: 1 }),
    [brandedFile({ id: "b", name: "a", size: 1 })],
    new Date(0),
  ];
  for (const value of none) assert.equal(csv(value), undefined);
});

test("whatever is in texts and names comes back", () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(",", '"', "\n", "\r\n", " a ", "é", "=1+1", ""),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(
        text.filter((name) => name !== "__proto__"),
        { minLength: 1, maxLength: 4 },
      ),
      fc.array(fc.array(text, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      (names, rows) => {
        const value = rows.map((cells) =>
          Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ""])),
        );
        // Integer-like names come first, as in any object.
        const columns = Object.keys(value[0] ?? {});
        const expected = value.map((row) => columns.map((name) => row[name]));
        assert.deepEqual(read(csv(value) ?? ""), [columns, ...expected]);
      },
    ),
  );
});

test("a long table comes in pieces", () => {
  const table = tableOf(new Float64Array(100_000));
  assert.ok(table !== undefined);
  const pieces = [...csvPieces(table)];
  assert.ok(pieces.length > 2 && pieces.every((piece) => piece.length < 70_000));
});
