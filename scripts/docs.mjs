/**
 * Prints the documents that are made from code: docs/errors.md, README's map, the list of public names.
 * Runs on dist/ (npm run docs builds first); tidy tests compare the results, so a forgotten run is seen.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { ERROR_TABLE } from "../dist/src/model/error-table.js";
import { withMap } from "../dist/test/tidy/code-map.js";
import { renderErrorDocs } from "../dist/test/tidy/error-docs.js";
import { API_FILE, renderApi } from "../dist/test/tidy/public-api.js";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

write("docs/errors.md", renderErrorDocs(ERROR_TABLE));
write(API_FILE, renderApi());
write("README.md", withMap(readFileSync(path.join(root, "README.md"), "utf8")));

function write(file, text) {
  writeFileSync(path.join(root, file), text);
  console.log(`wrote ${file}`);
}
