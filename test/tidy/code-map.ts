/** README's map of the code, printed from the layer table between two marks. */
import { LAYERS, PLANNED } from "./layers.ts";

const BEGIN = "<!-- map of the code: printed by `npm run docs` from test/tidy/layers.ts -->";
const END = "<!-- end of the map -->";

export function renderMap(): string {
  const rows = Object.entries(LAYERS).map(([folder, layer]) => {
    const name = PLANNED.includes(folder) ? `\`${folder}\` (not here yet)` : `\`${folder}\``;
    return `| ${name} | ${layer.purpose} |`;
  });
  return ["| folder | what it is for |", "|---|---|", ...rows].join("\n");
}

/** The README with its map printed afresh. @throws Error when the marks are missing. */
export function withMap(readme: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin)
    throw new Error("README.md has lost the marks around its map of the code");
  return `${readme.slice(0, begin)}${BEGIN}\n${renderMap()}\n${readme.slice(end)}`;
}
