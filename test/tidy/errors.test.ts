import assert from "node:assert/strict";
import { test } from "node:test";

import type { ErrorRow } from "../../src/model/error-row.ts";
import { ERROR_TABLE } from "../../src/model/error-table.ts";
import { renderErrorDocs, unusedCodes } from "./error-docs.ts";
import { codeFiles, filesUnder, readText, ROOT } from "./source-tree.ts";

const row: ErrorRow = { exit: 3, summary: "There is no {thing}.", remedy: "Look | elsewhere." };

test("docs/errors.md is what the error table prints: run `npm run docs` after a change", () => {
  assert.equal(readText("docs/errors.md"), renderErrorDocs(ERROR_TABLE));
});

test("canary: a row that the page lacks, and a page's row that the table lacks, make the page differ", () => {
  const page = renderErrorDocs({ KNOWN: row });
  assert.notEqual(page, renderErrorDocs({ KNOWN: row, NEW: row }));
  assert.notEqual(page, renderErrorDocs({}));
  assert.match(page, /\| `KNOWN` \| 3 \| There is no \{thing\}\. \| Look \\\| elsewhere\. \|/);
});

test("every error code is reported somewhere in src, cli or daemon", () => {
  const python = filesUnder(ROOT, "src").filter((file) => file.path.endsWith(".py"));
  assert.deepEqual(unusedCodes(ERROR_TABLE, [...codeFiles(), ...python]), []);
});

test("canary: a code that only the table and a test name is reported as unused", () => {
  const files = [
    { path: "src/model/error-table.ts", text: "LOST: row" },
    { path: "test/unit/lost.test.ts", text: '"LOST"' },
    { path: "src/store/open.ts", text: 'new MfError("KNOWN")' },
  ];
  assert.deepEqual(unusedCodes({ KNOWN: row, LOST: row }, files), ["LOST"]);
});
