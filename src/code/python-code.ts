/**
 * Code of Python steps: the entry file and the local modules it reaches. Identity is the syntax trees, so comments, docstrings and
 * formatting do not count. Without an interpreter the graph can still be checked and drawn: identity is then the source texts, and
 * running the step says PYTHON_MISSING.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { FlowGraph, StepDeclaration } from "../graph/flow-graph.ts";
import { MfError } from "../model/errors.ts";
import type { CodeId } from "../model/ids.ts";
import type { PythonCode, ScriptCode } from "./flow-package.ts";
import { PYTHON_CLOSURE_SCRIPT } from "./python-closure-script.ts";
import { runPython } from "./python-interpreter.ts";

interface Closure {
  /** Path relative to the flow's directory -> hash of the syntax tree. */
  readonly files: Readonly<Record<string, string>>;
  readonly imports: readonly string[];
  /** Names the entry file defines; undefined where it was not parsed. */
  readonly names?: readonly string[];
}

type Answer = Closure | { readonly problem: string };

/** Step name -> its Python code, for every Python step of the graph. */
export async function pythonCodes(
  graph: FlowGraph,
  directory: string,
  beside: Readonly<Record<string, ScriptCode>> = {},
): Promise<Record<string, PythonCode>> {
  const steps = graph.steps.filter((item) => item.kind === "python");
  if (steps.length === 0) return {};
  const entries = [...new Set(steps.map((item) => entryOf(item, directory)))];
  const answers = await closures(entries, directory);
  const codes = steps.map((step): [string, PythonCode] => {
    const closure = answers[entries.indexOf(entryOf(step, directory))];
    if (closure === undefined)
      throw new MfError("INTERNAL", { message: `no closure of the Python step ${step.name}` });
    const code = pythonCode(step, directory, closure);
    const script = beside[step.name];
    return [step.name, script === undefined ? code : withScript(code, script)];
  });
  return Object.fromEntries(codes);
}

function withScript(code: PythonCode, beside: ScriptCode): PythonCode {
  const identity = JSON.stringify([code.codeId, beside.codeId]);
  const codeId = createHash("sha256").update(identity).digest("hex") as CodeId;
  return { ...code, codeId, beside };
}

function entryOf(step: StepDeclaration, directory: string): string {
  const file = resolve(directory, step.python?.file ?? "");
  if (step.python === undefined || !existsSync(file))
    throw new MfError("PYTHON_FILE_MISSING", { step: step.name, file: step.python?.file });
  return file;
}

async function closures(entries: readonly string[], directory: string): Promise<readonly Answer[]> {
  try {
    const answers = await runPython<Answer[]>(PYTHON_CLOSURE_SCRIPT, { directory, entries });
    return answers ?? entries.map((entry) => closureOfTexts(entry, directory));
  } catch (error) {
    const reason = `its Python files cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new MfError("FLOW_BUILD_FAILED", { file: entries.join(", "), reason }, { cause: error });
  }
}

function pythonCode(step: StepDeclaration, directory: string, closure: Answer): PythonCode {
  const { file = "", fn = "", requires = [] } = step.python ?? {};
  if ("problem" in closure)
    throw new MfError("FLOW_BUILD_FAILED", { file, reason: closure.problem });
  if (closure.names !== undefined && !closure.names.includes(fn))
    throw new MfError("PYTHON_FUNCTION_MISSING", { step: step.name, fn, file });
  const paths = Object.keys(closure.files).sort();
  const entry = relativePath(directory, resolve(directory, file));
  const above = [entry, ...paths].find((path) => path.startsWith("../") || isAbsolute(path));
  if (above !== undefined) {
    const reason = `${above} is outside the flow file's directory; Python files travel with the flow from there or below.`;
    throw new MfError("FLOW_BUILD_FAILED", { file, reason });
  }
  const identity = [
    entry,
    fn,
    paths.map((path) => [path, closure.files[path]]),
    closure.imports,
    [...requires].sort(),
  ];
  return {
    kind: "python",
    codeId: createHash("sha256").update(JSON.stringify(identity)).digest("hex") as CodeId,
    entry,
    fn,
    files: Object.fromEntries(
      paths.map((path) => [path, readFileSync(join(directory, path), "utf8")]),
    ),
    imports: closure.imports,
    requires,
  };
}

/** Without an interpreter: imports by the look of their lines. What is not a file here is taken for installed. */
function closureOfTexts(entry: string, directory: string): Closure {
  const files: Record<string, string> = {};
  const root = dirname(entry);
  const queue = [entry];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const path = relativePath(directory, file);
    if (Object.hasOwn(files, path)) continue;
    const text = readFileSync(file, "utf8");
    files[path] = createHash("sha256").update(text).digest("hex");
    for (const [, dots = "", module = ""] of text.matchAll(
      /^[ \t]*(?:from|import)[ \t]+(\.*)([\w.]*)/gm,
    )) {
      const base =
        dots === ""
          ? root
          : resolve(dirname(file), ...Array.from({ length: dots.length - 1 }, () => ".."));
      const parts = module.split(".").filter((part) => part !== "");
      const place = join(base, ...parts);
      for (const candidate of [`${place}.py`, join(place, "__init__.py")])
        if (existsSync(candidate)) queue.push(candidate);
    }
  }
  return { files, imports: [] };
}

function relativePath(directory: string, file: string): string {
  return relative(directory, file).replaceAll("\\", "/");
}
