/** Changes of code in one sentence each: `constant RATE (helpers.ts:3): 0.1 -> 0.2`. */
import type { CodeChange } from "./code-diff.ts";

/** Beyond this many, the rest is counted. */
const CHANGES_TOLD_MAX = 3;

export function codeChangeText(change: CodeChange, step: string): string {
  const { how, before, after } = change;
  const subject = `${subjectOf(change, step)}${placeText(change)}`;
  if (before !== undefined && after !== undefined) return `${subject}: ${before} -> ${after}`;
  if (change.what === "statement" && how === "changed") return `${subject} moved`;
  const value = after ?? before;
  const how_ = how === "changed" ? "changed" : how === "added" ? "is new" : "is gone";
  return `${subject} ${how_}${value === undefined ? "" : `: ${value}`}`;
}

export function codeChangesText(changes: readonly CodeChange[], step: string): string {
  // What is only new or gone follows from what has changed.
  const changed = changes.filter(({ how }) => how === "changed");
  const told = changed.length > 0 ? changed : changes;
  if (told.length === 0) return `code of ${step} changed`;
  const texts = told.slice(0, CHANGES_TOLD_MAX).map((change) => codeChangeText(change, step));
  const rest = told.length - texts.length;
  return `${texts.join("; ")}${rest === 0 ? "" : `; ${rest} more`}`;
}

function subjectOf({ what, name }: CodeChange, step: string): string {
  switch (what) {
    case "body":
      return `body of ${step}`;
    case "catch":
      return `catch handler of ${step}`;
    case "out":
      return `out schema of ${step}`;
    case "statement":
      return "a statement";
    case "import":
      return `import ${name}`;
    case "packages":
      return "bundled packages";
    case "file":
      return name === "" ? `code of ${step}` : "code";
    case "language":
      return `language of ${step}`;
    case "constant":
    case "variable":
    case "function":
    case "class":
    case "package":
      return `${what} ${name}`;
  }
}

function placeText({ file, line }: CodeChange): string {
  if (file === undefined) return "";
  return line === undefined ? ` (${file})` : ` (${file}:${line})`;
}
