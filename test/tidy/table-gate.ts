/** Holds tables and the tree against each other: layers and their files, their READMEs, owners of packages, numbers of decisions. */
import { layerOf } from "./import-gate.ts";
import type { SourceFile } from "./source-tree.ts";

export const README_LINES_MAX = 80;

/** Layers of the table that have files. */
export function layersWithFiles(
  files: readonly SourceFile[],
  layers: readonly string[],
): readonly string[] {
  const seen = new Set(files.map((file) => layerOf(file.path)));
  return layers.filter((layer) => seen.has(layer));
}

/** A layer without a file is a stale table; a planned one that has files is no longer planned. */
export function layerViolations(
  files: readonly SourceFile[],
  layers: readonly string[],
  planned: readonly string[],
): readonly string[] {
  const seen = layersWithFiles(files, layers);
  return layers.flatMap((layer) => {
    if (seen.includes(layer) !== planned.includes(layer)) return [];
    return planned.includes(layer)
      ? [`${layer}: has files now; take it out of PLANNED`]
      : [`${layer}: has no file; take it out of LAYERS`];
  });
}

/** @param read the text of a file, undefined where there is none */
export function readmeViolations(
  layers: readonly string[],
  read: (file: string) => string | undefined,
): readonly string[] {
  return layers.flatMap((layer) => {
    const text = read(`${layer}/README.md`);
    if (text === undefined) return [`${layer}: has no README.md`];
    const lines = text.replace(/\n$/, "").split("\n").length;
    if (lines <= README_LINES_MAX) return [];
    return [`${layer}/README.md: ${lines} lines, at most ${README_LINES_MAX}`];
  });
}

/** @param manifest the text of a package.json */
export function ownerViolations(
  manifest: string,
  owners: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  return Object.keys(dependencies)
    .filter((name) => !name.startsWith("@types/") && !Object.hasOwn(owners, name))
    .map((name) => `${name}: has no owner in OWNERS`);
}

/** From 0001 without a gap, each number once. */
export function decisionViolations(paths: readonly string[]): readonly string[] {
  let last = 0;
  return [...paths].sort().flatMap((path) => {
    const number = Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1] ?? Number.NaN);
    if (Number.isNaN(number)) return [`${path}: decisions are named NNNN-title.md`];
    const expected = last + 1;
    last = number;
    if (number === expected) return [];
    return [`${path}: the next number is ${String(expected).padStart(4, "0")}`];
  });
}
