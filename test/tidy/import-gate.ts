/** Checks imports against layers.ts: direction, owners of packages, cycles. Sees type-only, bare, dynamic and multi-line imports. */
import path from "node:path";

import { LAYERS, OWNERS, ROOTS } from "./layers.ts";
import { type SourceFile, withoutComments } from "./source-tree.ts";

const IMPORT =
  /^\s*(?:import|export)\s[^"';=]*?\bfrom\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/gm;

export function importsOf(text: string): readonly string[] {
  return [...withoutComments(text).matchAll(IMPORT)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? "",
  );
}

export function layerOf(file: string): string | undefined {
  return Object.keys(LAYERS)
    .filter((folder) => file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** One line a violation; empty when every import points down the table. */
export function importViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    if (ROOTS.includes(file.path)) return [];
    const layer = layerOf(file.path);
    if (layer === undefined) return [`${file.path}: its folder is not in LAYERS`];
    return importsOf(file.text).flatMap((name) => {
      const reason = name.startsWith(".")
        ? directionProblem(layer, resolveImport(file.path, name))
        : packageProblem(file.path, name);
      return reason === undefined ? [] : [`${file.path}: ${reason}`];
    });
  });
}

/** Cycles among files, type-only edges included, each as the path round it; one line a cycle. */
export function importCycles(files: readonly SourceFile[]): readonly string[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      importsOf(file.text)
        .filter((name) => name.startsWith("."))
        .map((name) => resolveImport(file.path, name)),
    ]),
  );
  const finished = new Set<string>();
  const found = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.add([...trail.slice(at), file].join(" -> "));
    if (at >= 0 || finished.has(file)) return;
    for (const target of edges.get(file) ?? []) visit(target, [...trail, file]);
    finished.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return [...found];
}

function resolveImport(from: string, name: string): string {
  return path.posix.join(path.posix.dirname(from), name);
}

function directionProblem(layer: string, target: string): string | undefined {
  const other = layerOf(target);
  if (ROOTS.includes(target)) {
    return layer === "test" ? undefined : `${target} is an entry point; nothing imports it`;
  }
  if (other === undefined) return `imports ${target}, whose folder is not in LAYERS`;
  if (other === layer) return undefined;
  const allowed = LAYERS[layer]?.imports ?? [];
  if (allowed.includes(other)) return undefined;
  if (allowed.includes("*") && other.startsWith("src/") && other !== "src/testing")
    return undefined;
  if (layer === "test") return undefined;
  return `${layer} may not import ${other}`;
}

function packageProblem(file: string, name: string): string | undefined {
  if (name.startsWith("node:") || name === "meshflow") return undefined;
  const parts = name.split("/");
  const owned = name.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? name);
  const owners = OWNERS[owned];
  if (owners === undefined) return `imports ${owned}, which has no owner in OWNERS`;
  // Tests of an owner may use what it owns.
  if (file.startsWith("test/") || owners.some((owner) => file.startsWith(`${owner}/`)))
    return undefined;
  return `only ${owners.join(" and ")} may import ${owned}`;
}
