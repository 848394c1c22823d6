/** docs/errors.md is printed from the error table; errors.test.ts compares the two, scripts/docs.mjs writes the page. */
import type { ErrorRow } from "../../src/model/error-row.ts";
import type { SourceFile } from "./source-tree.ts";

const EXITS: Readonly<Record<number, string>> = {
  1: "the run failed",
  2: "usage or invalid flow",
  3: "not found",
  4: "no peer fits or none reachable",
  5: "denied",
  6: "conflict",
  7: "data lost or hash mismatch",
  124: "timeout",
  130: "interrupted",
};

export function renderErrorDocs(table: Readonly<Record<string, ErrorRow>>): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = Object.entries(table).map(
    ([code, row]) => `| \`${code}\` | ${row.exit} | ${cell(row.summary)} | ${cell(row.remedy)} |`,
  );
  const exits = Object.entries(EXITS).map(([exit, meaning]) => `| ${exit} | ${meaning} |`);
  return [
    "# Errors",
    "",
    "Every operating error `mf` reports: its code, the exit code of the program, what happened, what to do. `{name}` is filled in.",
    'With `--json` an error is `{"error":{"code","message","remedy"}}` on stderr. Codes are stable; messages are not.',
    "Printed from `src/model/error-table.ts` by `npm run docs`; a test holds the two equal.",
    "",
    "| code | exit | what happened | what to do |",
    "|---|---|---|---|",
    ...rows,
    "",
    "## Exit codes",
    "",
    "| exit | meaning |",
    "|---|---|",
    "| 0 | ok |",
    ...exits,
    "",
  ].join("\n");
}

const TABLE_FILES = ["src/model/error-table.ts", "src/model/mesh-error-rows.ts"];

/** Codes that no file outside the table names: rows nobody can ever see. */
export function unusedCodes(
  table: Readonly<Record<string, ErrorRow>>,
  files: readonly SourceFile[],
): readonly string[] {
  const text = files
    .filter((file) => !file.path.startsWith("test/") && !TABLE_FILES.includes(file.path))
    .map((file) => file.text)
    .join("\n");
  // A code may also stand in a Python worker's string or as an unquoted object key.
  return Object.keys(table).filter((code) => !new RegExp(`\\b${code}\\b`).test(text));
}
