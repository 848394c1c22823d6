/** The files that tidy gates read: paths relative to the repository (or to a canary's little tree), with forward slashes. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** dist/test/tidy/source-tree.js stands three folders under the repository. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");

const CODE_FOLDERS = ["src", "cli", "daemon", "test"];

/** All TypeScript of the tree, without fixtures. */
export function codeFiles(root: string = ROOT): readonly SourceFile[] {
  return CODE_FOLDERS.flatMap((folder) => filesUnder(root, folder)).filter(
    (file) => file.path.endsWith(".ts") && !file.path.includes("/fixtures/"),
  );
}

export function filesUnder(root: string, folder: string): readonly SourceFile[] {
  const top = path.join(root, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .map((file) => ({
      path: path.relative(root, file).split(path.sep).join("/"),
      text: readFileSync(file, "utf8"),
    }));
}

/** A canary: a little tree under test/fixtures/tidy in which each gate must find what was planted. */
export function canary(name: string): readonly SourceFile[] {
  const files = codeFiles(path.join(ROOT, "test/fixtures/tidy", name));
  if (files.length === 0) throw new Error(`canary ${name} has no files`);
  return files;
}

export function readText(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

export function isThere(file: string): boolean {
  return existsSync(path.join(ROOT, file));
}

/** The text without comments, for gates that look at code. Good enough for import statements and names, not a parser. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|[\s;{}()])\/\/[^\n]*/g, (comment) =>
    comment.replaceAll(/[^\n]/g, " "),
  );
}
