/** Checks files by name, size and words: kebab-case, no catch-all names, at most 400 lines, no unfinished marks, no banned nouns. */
import path from "node:path";

import { type SourceFile, withoutComments } from "./source-tree.ts";

export const LINES_MAX = 400;
/** Names that say nothing: such files become buckets. */
const BANNED_NAMES = ["utils", "util", "helpers", "helper", "common", "types", "manager", "misc"];
/** Conventions §2: each of these already means three things. */
const BANNED_NOUNS = ["node", "job", "pipeline", "dag"];
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|prop\.test|e2e\.test|bench))?\.ts$/;
const UNFINISHED = new RegExp(
  ["TO" + "DO", "FIX" + "ME", "X" + "XX"].map((word) => `\\b${word}\\b`).join("|"),
);
const EXPORTED =
  /^export\s+(?:declare\s+|abstract\s+|async\s+)*(?:const|let|function\*?|class|interface|type|enum)\s+(\w+)/gm;
/** In running text: whole words only; dag-json is a codec's name and node:stream exports pipeline(). */
const NOUN_IN_TEXT = /\b(?:jobs?|pipelines?|DAGs?)\b(?!-json|\s*\()/;

export function nameViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const base = path.posix.basename(file.path);
    const stem = base.split(".")[0] ?? base;
    if (!NAME.test(base)) return [`${file.path}: file names are kebab-case`];
    if (BANNED_NAMES.includes(stem)) return [`${file.path}: "${stem}" says nothing; name the noun`];
    const noun = stem.split("-").find((word) => BANNED_NOUNS.includes(word));
    return noun === undefined
      ? []
      : [`${file.path}: "${noun}" is a banned noun (see CONTRIBUTING.md)`];
  });
}

/** Blank lines and comments are free, as for the linter's max-lines: a cap must not argue against saying why. */
const UNCOUNTED = /^\s*($|\/\/|\/\*|\*)/;

export function sizeViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const count = file.text.split("\n").filter((line) => !UNCOUNTED.test(line)).length;
    return count > LINES_MAX ? [`${file.path}: ${count} lines, at most ${LINES_MAX}`] : [];
  });
}

export function unfinishedViolations(files: readonly SourceFile[]): readonly string[] {
  return atLines(
    files,
    (line) => UNFINISHED.exec(line)?.[0],
    (word) => `${word} left behind`,
  );
}

/** Nouns in what we export, and in what we tell people (comments and messages). src/code speaks of syntax nodes. */
export function nounViolations(files: readonly SourceFile[]): readonly string[] {
  const ours = files.filter((file) => !file.path.startsWith("test/"));
  const exported = ours
    .filter((file) => !file.path.startsWith("src/code/"))
    .flatMap((file) =>
      [...withoutComments(file.text).matchAll(EXPORTED)].flatMap((match) => {
        const name = match[1] ?? "";
        const noun = wordsOf(name).find((word) => BANNED_NOUNS.includes(word));
        return noun === undefined ? [] : [`${file.path}: exported name ${name} says "${noun}"`];
      }),
    );
  const isImport = /^\s*(?:import|export)\b.*\bfrom\b/;
  const told = atLines(
    ours,
    (line) => (isImport.test(line) ? undefined : NOUN_IN_TEXT.exec(line)?.[0]),
    (word) => `says "${word}"`,
  );
  return [...exported, ...told];
}

/** Every file with tests must stand in a group that scripts/test.mjs runs. */
export function groupViolations(
  files: readonly SourceFile[],
  groups: readonly string[],
): readonly string[] {
  return files
    .filter((file) => file.path.endsWith(".test.ts"))
    .filter((file) => !groups.some((group) => file.path.startsWith(`test/${group}/`)))
    .map((file) => `${file.path}: stands in no test group (${groups.join(", ")})`);
}

function wordsOf(name: string): readonly string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[\s_]+/);
}

function atLines(
  files: readonly SourceFile[],
  find: (line: string) => string | undefined,
  say: (word: string) => string,
): readonly string[] {
  return files.flatMap((file) =>
    file.text.split("\n").flatMap((line, index) => {
      const word = find(line);
      return word === undefined ? [] : [`${file.path}:${index + 1}: ${say(word)}`];
    }),
  );
}
