/**
 * What differs between two versions of a step's code, in the author's terms: which constant, which function, in which file and line.
 * Statements are held against each other by name; what differs in layout and comments only does not differ.
 */
import type { ExternalPackage, PythonCode, ScriptCode, StepCode } from "../../code/flow-package.ts";
import { sliceStatements, type SliceStatement } from "../../code/slice-statements.ts";
import { diffLines, hunksOf, type DiffLine } from "./line-diff.ts";

export interface CodeChange {
  /** `body`, `catch`, `out`: the step's own; `package`: one outside the bundle; `packages`: the bundled ones; `file`: of Python. */
  readonly what: SliceStatement["kind"] | "package" | "packages" | "file" | "language";
  readonly how: "changed" | "added" | "removed";
  /** Of the constant, function, package or file; "" where it has none. */
  readonly name: string;
  /** Where it is now; of what was removed, where it was. */
  readonly file?: string;
  /** The first line that differs, from 1. */
  readonly line?: number;
  /** Text before and after, where it is short: a constant's value, a package's version. */
  readonly before?: string;
  readonly after?: string;
  /** The differing lines with one line around them. */
  readonly lines: readonly CodeLine[];
}

export interface CodeLine {
  readonly sign: " " | "+" | "-";
  readonly text: string;
  readonly file?: string;
  readonly line?: number;
}

const VALUE_CHARS_MAX = 60;
const CONTEXT_LINES = 1;

/** Empty where both are the same code. What the author is most likely to have changed comes first. */
export function diffCode(before: StepCode, after: StepCode): readonly CodeChange[] {
  if (before.codeId === after.codeId) return [];
  if (before.kind === "python" && after.kind === "python") return diffPython(before, after);
  if (before.kind === "script" && after.kind === "script") return diffScripts(before, after);
  return [
    {
      what: "language",
      how: "changed",
      name: "",
      before: languageOf(before),
      after: languageOf(after),
      lines: [],
    },
  ];
}

function diffScripts(before: ScriptCode, after: ScriptCode): CodeChange[] {
  const old = sliceStatements(before);
  const next = sliceStatements(after);
  const changes =
    old === undefined || next === undefined
      ? [...changedFile("", before.slice, after.slice)]
      : diffStatements(old, next);
  return [
    ...changes,
    ...diffExternals(before.externals, after.externals),
    ...(before.packages === after.packages ? [] : [packagesChange(before, after)]),
  ];
}

const ORDER = { changed: 0, added: 1, removed: 2 } as const;

function diffStatements(
  old: readonly SliceStatement[],
  next: readonly SliceStatement[],
): CodeChange[] {
  const before = byKey(old);
  const after = byKey(next);
  const changes: CodeChange[] = [];
  for (const [key, statement] of after) {
    const was = before.get(key);
    if (was === undefined) changes.push(oneSided("added", statement));
    else if (was.meaning !== statement.meaning) changes.push(changedStatement(was, statement));
  }
  for (const [key, statement] of before)
    if (!after.has(key)) changes.push(oneSided("removed", statement));
  if (changes.length === 0) changes.push(...moved(old, next));
  return changes.sort((a, b) => ORDER[a.how] - ORDER[b.how]);
}

/** Nothing was added, removed or changed, yet the code differs: the order does. */
function moved(old: readonly SliceStatement[], next: readonly SliceStatement[]): CodeChange[] {
  const at = next.findIndex((item, position) => item.meaning !== old[position]?.meaning);
  const first = next[at];
  if (first === undefined) return [];
  const { kind, name } = first;
  return [{ what: kind, how: "changed", name, ...placeOf(first), lines: [] }];
}

/** Declarations by name, the step's own by what they are; bare statements by what they do. */
function byKey(statements: readonly SliceStatement[]): Map<string, SliceStatement> {
  const found = new Map<string, SliceStatement>();
  for (const statement of statements) {
    const { kind, name, meaning } = statement;
    const key =
      kind === "statement"
        ? `statement:${meaning}`
        : name === ""
          ? `:${kind}`
          : kind === "import"
            ? `import:${name}`
            : `name:${name}`;
    let free = key;
    for (let copy = 2; found.has(free); copy++) free = `${key}#${copy}`;
    found.set(free, statement);
  }
  return found;
}

function oneSided(how: "added" | "removed", statement: SliceStatement): CodeChange {
  const { kind, name, text, value, lines } = statement;
  const short = value !== undefined && isShort(value) ? value : undefined;
  return {
    what: kind,
    how,
    name,
    ...placeOf(statement),
    ...(short === undefined ? {} : how === "added" ? { after: short } : { before: short }),
    lines: text
      .split("\n")
      .map((line, at) => ({ sign: how === "added" ? "+" : "-", text: line, ...at_(lines[at]) })),
  };
}

function changedStatement(was: SliceStatement, is: SliceStatement): CodeChange {
  const lines = codeLines(was, is);
  const values =
    was.value !== undefined && is.value !== undefined && isShort(was.value) && isShort(is.value)
      ? { before: was.value, after: is.value }
      : {};
  const first = lines.find(({ sign, line }) => sign === "+" && line !== undefined);
  return {
    what: is.kind,
    how: "changed",
    name: is.name,
    ...placeOf(is),
    ...(first?.line === undefined ? {} : { line: first.line }),
    ...values,
    lines,
  };
}

function codeLines(was: SliceStatement, is: SliceStatement): CodeLine[] {
  const lines = diffLines(was.text.split("\n"), is.text.split("\n"));
  return shown(lines).map(({ sign, text, at }) => ({
    sign,
    text,
    ...at_((sign === "+" ? is : was).lines[at]),
  }));
}

function shown(lines: readonly DiffLine[]): DiffLine[] {
  return hunksOf(lines, CONTEXT_LINES).filter((line) => line !== undefined);
}

function at_(place: SliceStatement["place"]): { readonly file?: string; readonly line?: number } {
  return place === undefined ? {} : { file: place.file, line: place.line };
}

function placeOf({ place }: SliceStatement): { readonly file?: string; readonly line?: number } {
  return at_(place);
}

function isShort(text: string): boolean {
  return text.length <= VALUE_CHARS_MAX && !text.includes("\n");
}

/** Of packages outside the bundle: by version, or by integrity where the version is the same. */
function diffExternals(
  before: readonly ExternalPackage[],
  after: readonly ExternalPackage[],
): CodeChange[] {
  const old = new Map(before.map((item) => [item.name, item]));
  const next = new Map(after.map((item) => [item.name, item]));
  const changes: CodeChange[] = [];
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    const [was, is] = [old.get(name), next.get(name)];
    if (was?.version === is?.version && was?.integrity === is?.integrity) continue;
    const isSame = was?.version === is?.version;
    const text = (item: ExternalPackage | undefined): string | undefined =>
      item === undefined || !isSame ? item?.version : `${item.version} (${item.integrity})`;
    changes.push({
      what: "package",
      how: was === undefined ? "added" : is === undefined ? "removed" : "changed",
      name,
      ...optional("before", text(was)),
      ...optional("after", text(is)),
      lines: [],
    });
  }
  return changes;
}

function optional<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, string>>);
}

/** Bundled packages are long and not the author's: that they differ is told, and not how. */
function packagesChange(before: ScriptCode, after: ScriptCode): CodeChange {
  const how =
    before.packages === undefined ? "added" : after.packages === undefined ? "removed" : "changed";
  return { what: "packages", how, name: "", lines: [] };
}

function diffPython(before: PythonCode, after: PythonCode): CodeChange[] {
  const changes: CodeChange[] = [];
  if (before.fn !== after.fn || before.entry !== after.entry)
    changes.push({
      what: "body",
      how: "changed",
      name: "",
      file: after.entry,
      before: `${before.fn} of ${before.entry}`,
      after: `${after.fn} of ${after.entry}`,
      lines: [],
    });
  for (const file of new Set([...Object.keys(after.files), ...Object.keys(before.files)]))
    changes.push(...changedFile(file, before.files[file], after.files[file]));
  if (before.beside !== undefined && after.beside !== undefined)
    changes.push(...diffCode(before.beside, after.beside));
  return changes;
}

function changedFile(
  file: string,
  before: string | undefined,
  after: string | undefined,
): CodeChange[] {
  if (before === after) return [];
  const lines = shown(diffLines(linesOf(before), linesOf(after))).map(
    ({ sign, text, at }): CodeLine => ({
      sign,
      text,
      ...(file === "" ? {} : { file, line: at + 1 }),
    }),
  );
  const first = lines.find(({ sign }) => sign !== " ");
  return [
    {
      what: "file",
      how: before === undefined ? "added" : after === undefined ? "removed" : "changed",
      name: file,
      ...(file === "" ? {} : { file }),
      ...(first?.line === undefined ? {} : { line: first.line }),
      lines,
    },
  ];
}

function linesOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.split("\n");
}

function languageOf(code: StepCode): string {
  return code.kind === "python" ? "Python" : "TypeScript";
}
