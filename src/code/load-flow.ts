/** A flow file to what the engine runs: bundle, evaluated graph, parameters, and for each step the code that travels. */
import { resolve } from "node:path";
import { systemClock, type Clock } from "../env/clock.ts";
import { MfError } from "../model/errors.ts";
import { scriptCodeId } from "./code-id.ts";
import { bundleFlow } from "./bundle-flow.ts";
import { cutSlice, type Slice, type SliceParts } from "./cut-slice.ts";
import { evaluateFlow, type EvaluatedFlow } from "./evaluate-flow.ts";
import { parseFlowModule, type FlowModule } from "./flow-module.ts";
import type { ExternalPackage, FlowPackage, ScriptCode, StepCode } from "./flow-package.ts";
import { externalOf } from "./native-package.ts";
import type { ParamValue } from "./param-values.ts";
import { pythonCodes } from "./python-code.ts";
import { ReachMap } from "./reach.ts";
import { MESHFLOW_URL } from "./slice-require.ts";
import { pythonOptionCode, stepFunctionAt } from "./step-function.ts";

export interface LoadOptions {
  /** Texts of the command line. */
  readonly params?: Readonly<Record<string, string>>;
  /** False: parameters are neither read nor required (`mf check`, `mf show`). Default: true. */
  readonly validateParams?: boolean;
  /** Parameters that have their values already: read only where `params` has a text for them. */
  readonly settled?: readonly string[];
  /** For short-lived files; default: the system's temporary directory. */
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
  /** What `import "meshflow"` means in the flow; default: the Meshflow that runs. */
  readonly meshflowUrl?: string;
  /** Module that exports `encodeValue`; default: the artifact codec. */
  readonly codecUrl?: string;
  /** For module-level code; default: 10 s. */
  readonly timeLimitMs?: number;
  readonly clock?: Clock;
}

export interface LoadedFlow {
  readonly package: FlowPackage;
  readonly params: Readonly<Record<string, ParamValue>>;
}

export const CODEC_URL = new URL("../artifact/codec.js", import.meta.url).href;
export const TIME_LIMIT_MS = 10_000;

export async function loadFlow(file: string, options: LoadOptions = {}): Promise<LoadedFlow> {
  const bundle = await bundleFlow(resolve(file));
  const module = parseFlowModule(bundle);
  const evaluated = await evaluateFlow(module, {
    ...(options.validateParams === false ? {} : { params: options.params ?? {} }),
    ...(options.settled === undefined ? {} : { settled: options.settled }),
    ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    meshflowUrl: options.meshflowUrl ?? MESHFLOW_URL,
    codecUrl: options.codecUrl ?? CODEC_URL,
    timeLimitMs: options.timeLimitMs ?? TIME_LIMIT_MS,
    clock: options.clock ?? systemClock,
  });
  const reachMap = new ReachMap(module);
  const [scripts, beside] = await Promise.all([
    scriptCodes(module, reachMap, evaluated),
    scriptsBesidePython(module, reachMap, evaluated),
  ]);
  const pythons = await pythonCodes(evaluated.graph, bundle.directory, beside);
  const { graph, params } = evaluated;
  return {
    package: {
      graph,
      file: bundle.file,
      bundleId: bundle.id,
      bundle: bundle.text,
      steps: { ...scripts, ...pythons },
    },
    params,
  };
}

async function scriptCodes(
  module: FlowModule,
  reachMap: ReachMap,
  { graph, functions }: EvaluatedFlow,
): Promise<Record<string, StepCode>> {
  const steps = graph.steps.filter((item) => item.kind === "step");
  const codes = steps.map(async ({ name }): Promise<[string, StepCode]> => {
    const found = functions[name];
    if (found?.fn === undefined || (found.hasCatch && found.catch === undefined)) {
      throw new MfError("STEP_FUNCTION_FOREIGN", {
        step: name,
        what: "a function that is not written in the flow's files (bound or built in)",
      });
    }
    const fn = stepFunctionAt(module, name, found.fn);
    const handler =
      found.catch === undefined ? undefined : stepFunctionAt(module, name, found.catch);
    const cut: SliceParts = handler === undefined ? { fn } : { fn, catch: handler };
    return [name, await scriptCode(module, cutSlice(module, reachMap, cut), fn.at)];
  });
  return Object.fromEntries(await Promise.all(codes));
}

/** Python step -> its `out` schema and `catch` handler, if it has any. */
async function scriptsBesidePython(
  module: FlowModule,
  reachMap: ReachMap,
  { graph, checked }: EvaluatedFlow,
): Promise<Record<string, ScriptCode>> {
  const steps = graph.steps.filter((item) => item.kind === "python");
  const codes = steps.map(async ({ name, options }): Promise<[string, ScriptCode][]> => {
    const out = checked.includes(name) ? pythonOptionCode(module, name, "out") : undefined;
    const handler = options.hasCatch ? pythonOptionCode(module, name, "catch") : undefined;
    const first = handler ?? out;
    if (first === undefined) return [];
    const parts = {
      ...(handler === undefined ? {} : { catch: handler }),
      ...(out === undefined ? {} : { out }),
    };
    return [[name, await scriptCode(module, cutSlice(module, reachMap, parts), first.at)]];
  });
  return Object.fromEntries((await Promise.all(codes)).flat());
}

async function scriptCode(module: FlowModule, slice: Slice, at: string): Promise<ScriptCode> {
  const { directory } = module.bundle;
  const externals = externalsOf(module, slice);
  return {
    kind: "script",
    codeId: await scriptCodeId({ ...slice, externals }),
    slice: slice.slice,
    ...(slice.packages === undefined ? {} : { packages: slice.packages }),
    isStateless: slice.isStateless,
    externals,
    resolveFrom: directory,
    at,
    sourceMap: slice.sourceMap,
  };
}

function externalsOf(module: FlowModule, slice: Slice): ExternalPackage[] {
  const found = slice.outside.flatMap((specifier) => {
    const external = module.bundle.externals.get(specifier);
    return external === undefined ? [] : [externalOf(external)];
  });
  const unique = new Map(
    found.map((item) => [`${item.name}@${item.version}+${item.integrity}`, item]),
  );
  return [...unique.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
