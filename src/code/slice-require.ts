/** The `require` that slices (and a flow file while its graph is built) run with: CommonJS resolution plus what `import` needs. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { findPackage, packageNameOf } from "./native-package.ts";

export interface FileMeta {
  readonly url: string;
  readonly dirname: string;
  readonly filename: string;
  resolve(specifier: string): string;
}

export interface SliceRequire {
  (specifier: string): unknown;
  /** What `import(specifier)` means in the flow's files. */
  load(specifier: string): Promise<unknown>;
  /** What `import.meta` means in a file of the bundle, named relative to the flow file's directory. */
  file(path: string): FileMeta;
  resolve(specifier: string): string;
}

/** The public module of the Meshflow that runs this code, as a URL. */
export const MESHFLOW_URL = new URL("../index.js", import.meta.url).href;

export function createSliceRequire(
  resolveFrom: string,
  meshflowUrl: string = MESHFLOW_URL,
): SliceRequire {
  const base = createRequire(join(resolveFrom, "flow.mjs"));
  const urlOf = (specifier: string): string =>
    specifierUrl(specifier, { base, resolveFrom, meshflowUrl });
  const call = (specifier: string): unknown => base(specifier) as unknown;
  return Object.assign(call, {
    load: (specifier: string): Promise<unknown> => import(urlOf(specifier)) as Promise<unknown>,
    file(path: string): FileMeta {
      const filename = resolve(resolveFrom, path);
      return {
        url: pathToFileURL(filename).href,
        dirname: dirname(filename),
        filename,
        resolve: urlOf,
      };
    },
    resolve: (specifier: string): string => base.resolve(specifier),
  });
}

interface Resolution {
  readonly base: NodeJS.Require;
  readonly resolveFrom: string;
  readonly meshflowUrl: string;
}

function specifierUrl(specifier: string, { base, resolveFrom, meshflowUrl }: Resolution): string {
  if (specifier === "meshflow") return meshflowUrl;
  if (specifier.startsWith("meshflow/"))
    return new URL(`./${specifier.slice("meshflow/".length)}/index.js`, meshflowUrl).href;
  if (isBuiltin(specifier) || /^(node|data|file):/.test(specifier)) return specifier;
  if (isAbsolute(specifier)) return pathToFileURL(specifier).href;
  try {
    return pathToFileURL(base.resolve(specifier)).href;
  } catch (error) {
    const file = importEntry(specifier, resolveFrom);
    if (file === undefined) throw error;
    return pathToFileURL(file).href;
  }
}

/** A package that offers itself to `import` only: the entry its manifest names for the whole package. */
function importEntry(specifier: string, resolveFrom: string): string | undefined {
  if (specifier.startsWith(".") || packageNameOf(specifier) !== specifier) return undefined;
  const found = findPackage(specifier, resolveFrom);
  if (found === undefined) return undefined;
  const manifest = JSON.parse(readFileSync(join(found.directory, "package.json"), "utf8")) as {
    exports?: unknown;
  };
  const entry = conditionTarget(manifest.exports);
  const file = entry === undefined ? undefined : join(found.directory, entry);
  return file !== undefined && existsSync(file) ? file : undefined;
}

function conditionTarget(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (typeof target !== "object" || target === null) return undefined;
  const options = target as Record<string, unknown>;
  for (const key of [".", "node", "import", "module", "default"]) {
    const found = conditionTarget(options[key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
