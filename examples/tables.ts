// What is in the tables of a data set: a source (all .csv files of the npm package vega-datasets), one task for each file. Change one of
// the files, or put another one beside them, and run it again: only what reads it is executed.
//   mf run examples/tables.ts
//   mf get tables/latest/summary/table -o tables.csv
//   mf get 'tables/latest/source:vega-datasets/data/*.csv' -o data
import { collect, each, flow } from "meshflow";

const tables = flow("tables", {}, { doc: "Profiles every CSV table of a data set." });

// A path is relative to this file; vega-datasets is found among the installed packages.
const files = tables.source("file:vega-datasets/data/*.csv");

const profile = tables.step("profile", { file: each(files) }, async ({ file }, ctx) => {
  const [head = "", ...lines] = (await file.text()).trim().split(/\r?\n/);
  const names = cellsOf(head);
  const rows = lines.map(cellsOf);
  const columns = names.map((name, at) => {
    const cells = rows.map((row) => row[at] ?? "");
    const numbers = cells.filter((cell) => cell !== "").map(Number);
    const isNumeric = numbers.length > 0 && numbers.every(Number.isFinite);
    return {
      file: file.name,
      column: name,
      kind: isNumeric ? "number" : "text",
      missing: cells.length - numbers.length,
      mean: isNumeric ? mean(numbers) : null,
    };
  });
  ctx.log(`${file.name}: ${rows.length} rows`);
  return { file: file.name, bytes: file.size, rows: rows.length, columns };
});

tables.step(
  "summary",
  { names: collect(profile.file), rows: collect(profile.rows), columns: collect(profile.columns) },
  ({ names, rows, columns }) => ({
    table: names.map((name, at) => ({
      file: name,
      rows: rows[at] ?? 0,
      columns: columns[at]?.length ?? 0,
      numeric: columns[at]?.filter((column) => column.kind === "number").length ?? 0,
    })),
    columns: columns.flat(),
  }),
);

export default tables;

/** Cells of one line; quoted ones may have commas in them. */
function cellsOf(line: string): string[] {
  const cells = line.match(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)?.slice(0, -1) ?? [];
  const texts = cells.map((cell) => cell.replace(/,$/, ""));
  return texts.map((text) => text.replace(/^"([\s\S]*)"$/, "$1").replaceAll('""', '"'));
}

function mean(numbers: readonly number[]): number {
  return Number((numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toPrecision(6));
}
