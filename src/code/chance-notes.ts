/**
 * Where a step draws by chance or reads the clock: the same inputs then give another result, so a rerun cannot repeat it. A note for
 * the author, never a refusal: a step may mean it. Only the user's own statements are looked at, not the packages'.
 */
import { parse } from "acorn";
import type { FlowPackage, PythonCode, ScriptCode } from "./flow-package.ts";
import { SourceMap } from "./source-map.ts";
import { child, children, nameOf, walk, type SyntaxNode } from "./syntax.ts";
import { LineIndex } from "./text-edits.ts";

export interface ChanceNote {
  readonly step: string;
  /** `flow.ts:12:5`, relative to the flow file's directory. */
  readonly at: string;
  /** As it is written: `Math.random()`. */
  readonly what: string;
  readonly kind: "chance" | "clock";
}

/** Of one flow: whoever has more of them knows by then. */
const NOTES_MAX = 100;

const MEMBERS: Readonly<Record<string, ChanceNote["kind"]>> = {
  "Math.random": "chance",
  "crypto.randomUUID": "chance",
  "crypto.randomBytes": "chance",
  "crypto.randomInt": "chance",
  "crypto.getRandomValues": "chance",
  "Date.now": "clock",
  "performance.now": "clock",
  "process.hrtime": "clock",
};

/** random and numpy.random start from the task's seed, so they repeat. */
const PYTHON =
  /\b(?:(?<clock>time\.(?:time|time_ns|monotonic|perf_counter)|datetime\.(?:now|utcnow|today)|date\.today)|(?<chance>uuid\.uuid[14]|os\.urandom|secrets\.\w+|random\.SystemRandom))\(/g;

/** In the order of the flow; a place that several steps reach is told of the first. */
export function chanceNotes({ graph, steps }: Pick<FlowPackage, "graph" | "steps">): ChanceNote[] {
  const notes = new Map<string, ChanceNote>();
  for (const { name } of graph.steps) {
    const code = steps[name];
    if (code === undefined) continue;
    const found = code.kind === "python" ? pythonNotes(name, code) : scriptNotes(name, code);
    for (const note of found) if (!notes.has(note.at)) notes.set(note.at, note);
  }
  return [...notes.values()].slice(0, NOTES_MAX);
}

function scriptNotes(step: string, { slice, sourceMap, at }: ScriptCode): ChanceNote[] {
  const lines = new LineIndex(slice);
  const map = sourceMap === undefined ? undefined : new SourceMap(sourceMap);
  const notes: ChanceNote[] = [];
  walk(parse(slice, { ecmaVersion: "latest" }) as unknown as SyntaxNode, (found) => {
    const use = useOf(found);
    if (use === undefined) return;
    const { line, column } = lines.placeOf(found.start);
    const place = map?.find(line, column);
    const where = place === undefined ? at : `${place.file}:${place.line}:${place.column}`;
    notes.push({ step, at: where, ...use });
  });
  return notes;
}

function useOf(found: SyntaxNode): Pick<ChanceNote, "what" | "kind"> | undefined {
  if (found.type === "NewExpression" || found.type === "CallExpression") {
    // Date() and new Date() are now; with arguments it is a given time.
    const isNow = children(found, "arguments").length === 0;
    if (!isNow || nameOf(child(found, "callee")) !== "Date") return undefined;
    return { what: found.type === "NewExpression" ? "new Date()" : "Date()", kind: "clock" };
  }
  if (found.type !== "MemberExpression" || found["computed"] === true) return undefined;
  const name = `${globalName(child(found, "object"))}.${nameOf(child(found, "property"))}`;
  const kind = Object.hasOwn(MEMBERS, name) ? MEMBERS[name] : undefined;
  return kind === undefined ? undefined : { what: `${name}()`, kind };
}

/** `crypto` of `crypto` and of `globalThis.crypto`. */
function globalName(object: SyntaxNode | undefined): string {
  if (object?.type === "Identifier") return nameOf(object) ?? "";
  const isGlobal = nameOf(child(object, "object")) === "globalThis";
  return isGlobal ? (nameOf(child(object, "property")) ?? "") : "";
}

function pythonNotes(step: string, { files }: PythonCode): ChanceNote[] {
  return Object.entries(files).flatMap(([file, text]) =>
    text.split("\n").flatMap((line, at) =>
      [...(line.split("#")[0] ?? "").matchAll(PYTHON)].map((match): ChanceNote => {
        const kind = match.groups?.["clock"] === undefined ? "chance" : "clock";
        return { step, at: `${file}:${at + 1}:${match.index + 1}`, what: `${match[0]})`, kind };
      }),
    ),
  );
}
