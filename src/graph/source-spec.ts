/**
 * How a flow names files outside itself: `file:data/iris.csv` (one file), `file:images/` (everything in a directory), or a glob such as
 * `file:runs/*\/log.csv`. A relative path is relative to the flow file. Only the text is looked at here: the kind of a source, and so
 * the type of its value, never depends on what happens to lie there.
 */
export type SourceKind = "file" | "directory" | "glob";

export interface SourceSpec {
  readonly kind: SourceKind;
  /** `file`: its path. Else: the directory to look through; names of files are relative to it. */
  readonly path: string;
  /** `glob`: what the names must match, below `path`. */
  readonly pattern: string;
}

const SCHEME = /^([a-z][a-z0-9+.-]*):/;
const GLOB = /[*?{}]/;
/** Journals and listings name sources; peers take no longer names. */
const SPEC_CHARS_MAX = 256;

/** As the journal and listings name it: two spellings of one path are one source. */
export function normalSource(text: string): string {
  const path = pathOf(text);
  if (path === undefined) return text;
  const isRooted = path.startsWith("/");
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  const isDirectory = parts.length === 0 || /(?:^|\/)\.{0,2}$/.test(path);
  const joined = `${isRooted ? "/" : ""}${parts.join("/")}${isDirectory && parts.length > 0 ? "/" : ""}`;
  return `file:${joined === "" ? "./" : joined}`;
}

/** The part behind `file:`; undefined where there is none. */
function pathOf(text: string): string | undefined {
  return text.startsWith("file:") && text.length > "file:".length
    ? text.slice("file:".length)
    : undefined;
}

/** What cannot be a source, in words; undefined where it can. */
export function sourceRefusal(text: string): string | undefined {
  const scheme = SCHEME.exec(text)?.[1];
  if (scheme === undefined) return "it does not begin with file:";
  if (scheme !== "file") return `this version reads file: only, not ${scheme}:`;
  const path = pathOf(text);
  if (path === undefined) return "it names no file";
  if (text.length > SPEC_CHARS_MAX) return `it has more than ${SPEC_CHARS_MAX} characters`;
  if (/\p{Cc}/u.test(text)) return "it has a control character in it";
  if (GLOB.test(path) && path.endsWith("/")) return "a glob names files, so it cannot end with /";
  if (!isBalanced(path)) return "its braces do not match";
  if (
    parseSource(text)
      .pattern.split(/[/{},]/)
      .includes("..")
  )
    return "a glob cannot go up by .. behind its first wildcard";
  return undefined;
}

/** Whether the value is a list of files; else it is one file. */
export function isListSource(spec: string): boolean {
  return spec.endsWith("/") || GLOB.test(spec);
}

export function parseSource(spec: string): SourceSpec {
  const path = pathOf(spec) ?? "";
  if (!GLOB.test(path))
    return { kind: path.endsWith("/") ? "directory" : "file", path, pattern: "" };
  const parts = path.split("/");
  const at = parts.findIndex((part) => GLOB.test(part));
  const base = parts.slice(0, at).join("/");
  return {
    kind: "glob",
    path: base === "" ? (path.startsWith("/") ? "/" : ".") : base,
    pattern: parts.slice(at).join("/"),
  };
}

function isBalanced(path: string): boolean {
  let depth = 0;
  for (const character of path) {
    if (character === "{") depth++;
    if (character === "}" && --depth < 0) return false;
  }
  return depth === 0;
}

export const FILE_SCHEME = "file:";
export const SOURCE_PREFIX = "source:";

/** `source:data/iris.csv`: how a source is named below its flow, or below a run. */
export function sourceName(spec: string): string {
  return `${SOURCE_PREFIX}${spec.startsWith(FILE_SCHEME) ? spec.slice(FILE_SCHEME.length) : spec}`;
}
