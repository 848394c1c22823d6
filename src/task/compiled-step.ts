/** The steps this thread has compiled: by code id, the least recently used go first. */
import { compileStep, type CompiledStep } from "../code/evaluate-slice.ts";
import type { ScriptCode } from "../code/flow-package.ts";
import { COMPILED_STEPS_MAX } from "./task-limits.ts";

const compiled = new Map<string, CompiledStep>();

export function compiledStepOf(code: ScriptCode): CompiledStep {
  // Native packages are found from the flow's directory: equal code elsewhere may find others.
  const key = `${code.codeId} ${code.resolveFrom}`;
  const step = compiled.get(key) ?? compileStep(code);
  // Behind all others: a Map keeps the order of insertion.
  compiled.delete(key);
  compiled.set(key, step);
  const [oldest] = compiled.keys();
  if (compiled.size > COMPILED_STEPS_MAX && oldest !== undefined) compiled.delete(oldest);
  return step;
}
