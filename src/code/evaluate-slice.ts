/**
 * Turns a step's code back into functions. The packages' part is evaluated once a compilation (a thread compiles a step once); the
 * user's slice is evaluated afresh at every `instantiate()`, so that module-level variables start over, unless it holds no state.
 */
import vm from "node:vm";
import type { StandardSchema } from "../flow/standard-schema.ts";
import type { ScriptCode } from "./flow-package.ts";
import { createSliceRequire, MESHFLOW_URL, type SliceRequire } from "./slice-require.ts";
import { SourceMap } from "./source-map.ts";

export interface StepInstance {
  readonly fn: (inputs: unknown, context: unknown) => unknown;
  /** Of a Python step, whose `fn` is never called. */
  readonly out?: StandardSchema;
  readonly catch?: (error: unknown, inputs: unknown, context: unknown) => unknown;
}

export interface CompiledStep {
  /** Evaluates the packages' part, once. */
  warm(): Promise<void>;
  instantiate(): Promise<StepInstance>;
}

type PackagesScript = (require: SliceRequire) => unknown;
type SliceScript = (scope: unknown, require: SliceRequire) => StepInstance | Promise<StepInstance>;

export function compileStep(code: ScriptCode, meshflowUrl: string = MESHFLOW_URL): CompiledStep {
  const require = createSliceRequire(code.resolveFrom, meshflowUrl);
  const packages =
    code.packages === undefined
      ? undefined
      : compile<PackagesScript>(code.packages, `${sliceName(code)}.packages`);
  const slice = compile<SliceScript>(code.slice, sliceName(code));
  let scope: Promise<unknown> | undefined;
  let instance: Promise<StepInstance> | undefined;
  const evaluate = async (): Promise<StepInstance> => {
    scope ??= evaluatePackages(packages, require);
    return await slice(await scope, require);
  };
  return {
    async warm() {
      scope ??= evaluatePackages(packages, require);
      await scope;
    },
    async instantiate() {
      if (!code.isStateless) return await evaluate();
      instance ??= evaluate();
      return await instance;
    },
  };
}

/** The error's stack with places of the slice replaced by places of the user's files. */
export function mapSliceStack(code: ScriptCode, stack: string): string {
  const name = sliceName(code);
  if (code.sourceMap === undefined || !stack.includes(name)) return stack;
  const map = new SourceMap(code.sourceMap);
  return stack
    .split(`${name}:`)
    .map((part, index) =>
      index === 0
        ? part
        : part.replace(/^(\d+):(\d+)/, (place: string, line: string, column: string) => {
            const found = map.find(Number(line) - 1, Number(column) - 1);
            return found === undefined
              ? `${name}:${place}`
              : `${found.file}:${found.line}:${found.column}`;
          }),
    )
    .join("");
}

/** File name under which a slice shows in stacks. */
export function sliceName(code: ScriptCode): string {
  return `slice-${code.codeId.slice(0, 16)}.js`;
}

async function evaluatePackages(
  script: PackagesScript | undefined,
  require: SliceRequire,
): Promise<unknown> {
  return script === undefined ? {} : await script(require);
}

function compile<T>(text: string, filename: string): T {
  const script = new vm.Script(text, {
    filename,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return script.runInThisContext() as T;
}
