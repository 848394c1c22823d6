/** The names a user can import. public-api.txt is the committed list; a name that comes or goes must be seen in a review. */
import { isThere, readText, withoutComments } from "./source-tree.ts";

export const API_FILE = "test/tidy/public-api.txt";
const ENTRIES: Readonly<Record<string, string>> = {
  meshflow: "src/index.ts",
  "meshflow/testing": "src/testing/index.ts",
  "meshflow/client": "src/client/index.ts",
};

/** Names of explicit exports; `export *` is refused because it hides what it gives away. */
export function exportedNames(text: string): readonly string[] {
  const code = withoutComments(text);
  const lists = [...code.matchAll(/export\s+(type\s+)?\{([^}]*)\}/g)].flatMap((match) =>
    (match[2] ?? "").split(",").flatMap((item) => {
      const words = item.trim().split(/\s+/);
      const isType = match[1] !== undefined || words[0] === "type";
      const name = words.at(-1);
      return name === undefined || name === "" ? [] : [isType ? `type ${name}` : name];
    }),
  );
  const stars = [...code.matchAll(/export\s+\*[^;]*/g)].map((match) => `not allowed: ${match[0]}`);
  const declared = [
    ...code.matchAll(
      /^export\s+(?:declare\s+|async\s+)*(const|let|function|class|interface|type)\s+(\w+)/gm,
    ),
  ].map((match) =>
    match[1] === "interface" || match[1] === "type" ? `type ${match[2]}` : `${match[2]}`,
  );
  return [...new Set([...lists, ...declared, ...stars])].sort();
}

export function renderApi(): string {
  return Object.entries(ENTRIES)
    .filter(([, file]) => isThere(file))
    .flatMap(([entry, file]) => exportedNames(readText(file)).map((name) => `${entry}: ${name}\n`))
    .join("");
}
