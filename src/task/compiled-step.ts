/** A script step, compiled: packages evaluated once a thread, the user's statements afresh for every attempt unless stateless. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script } from "node:vm";
import type { ScriptCode } from "../code/flow-package.ts";
import { sliceFileName } from "./step-error.ts";
import { COMPILED_STEPS_MAX } from "./task-limits.ts";

export type StepFunction = (inputs: unknown, ctx: unknown) => unknown;
export type CatchFunction = (error: Error, inputs: unknown, ctx: unknown) => unknown;

export interface StepInstance {
  readonly fn: StepFunction;
  readonly catch?: CatchFunction;
}

export interface CompiledStep {
  /** Evaluates the packages' part; once. */
  warm(): Promise<void>;
  instantiate(): Promise<StepInstance>;
}

const compiled = new Map<string, CompiledStep>();

/** From this thread's cache, by code id. */
export function compiledStepOf(code: ScriptCode, step: string): CompiledStep {
  const known = compiled.get(code.codeId);
  if (known !== undefined) return known;
  if (compiled.size >= COMPILED_STEPS_MAX) compiled.clear();
  const made = compile(code, step);
  compiled.set(code.codeId, made);
  return made;
}

function compile(code: ScriptCode, step: string): CompiledStep {
  const require = createRequire(join(code.resolveFrom, "flow.js"));
  const slice = new Script(code.slice, { filename: sliceFileName(step) });
  let scope: Promise<unknown> | undefined;
  let instance: Promise<StepInstance> | undefined;
  const packages = async (): Promise<unknown> => {
    if (code.packages === undefined) return {};
    const script = new Script(code.packages, { filename: "meshflow-packages" });
    return (script.runInThisContext() as (require: NodeJS.Require) => unknown)(require);
  };
  const evaluate = async (): Promise<StepInstance> => {
    scope ??= packages();
    const make = slice.runInThisContext() as (scope: unknown, require: NodeJS.Require) => unknown;
    return (await make(await scope, require)) as StepInstance;
  };
  return {
    async warm() {
      scope ??= packages();
      await scope;
    },
    async instantiate() {
      if (!code.isStateless) return evaluate();
      instance ??= evaluate();
      return instance;
    },
  };
}
