/** The steps this thread has compiled: by code id, the least recently used go first. */
import { compileStep, type CompiledStep } from "../code/evaluate-slice.ts";
import type { ScriptCode } from "../code/flow-package.ts";
import { COMPILED_STEPS_MAX } from "./task-limits.ts";

interface Compiled {
  readonly step: CompiledStep;
  readonly mayAddGlobals: boolean;
}

/** Without one of these words strict code cannot get at the global object, and native packages can do anything. */
const GLOBAL_WORDS = /\b(?:globalThis|global|self|window|Function|eval|constructor|load|require)\b/;
/** The one use of `require` that every slice has: its parameter. */
const SLICE_HEAD = /^\((?:async )?\((?:scope, )?require\) => /;

const compiled = new Map<string, Compiled>();

export function compiledStepOf(code: ScriptCode): CompiledStep {
  return lookUp(code).step;
}

/** False: attempts need not be searched for globals they left behind, which costs more than a small step. */
export function mayAddGlobals(code: ScriptCode): boolean {
  return lookUp(code).mayAddGlobals;
}

function lookUp(code: ScriptCode): Compiled {
  // Native packages are found from the flow's directory: equal code elsewhere may find others.
  const key = `${code.codeId} ${code.resolveFrom}`;
  const found = compiled.get(key) ?? {
    step: compileStep(code),
    mayAddGlobals: [code.slice, code.packages ?? ""].some((text) =>
      GLOBAL_WORDS.test(text.replace(SLICE_HEAD, "")),
    ),
  };
  // Behind all others: a Map keeps the order of insertion.
  compiled.delete(key);
  compiled.set(key, found);
  const [oldest] = compiled.keys();
  if (compiled.size > COMPILED_STEPS_MAX && oldest !== undefined) compiled.delete(oldest);
  return found;
}
