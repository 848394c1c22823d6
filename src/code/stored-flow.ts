/**
 * A stored flow once more: the bundle that a run was started with is evaluated again, without its source files, so that texts of a
 * command line are read by the schemas of that flow and not by today's.
 */
import { isBuiltin } from "node:module";
import { basename, dirname } from "node:path";
import { systemClock, type Clock } from "../env/clock.ts";
import { evaluateFlow } from "./evaluate-flow.ts";
import { parseFlowModule, type FlowModule } from "./flow-module.ts";
import type { FlowPackage } from "./flow-package.ts";
import { CODEC_URL, TIME_LIMIT_MS } from "./load-flow.ts";
import { findPackage, packageNameOf, type InstalledPackage } from "./native-package.ts";
import type { ParamValue } from "./param-values.ts";
import { MESHFLOW_URL } from "./slice-require.ts";

export interface StoredFlowOptions {
  /** For short-lived files; default: the system's temporary directory. */
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** Where there is no map, places are told in the bundle. */
const NO_MAP = JSON.stringify({ version: 3, sources: [], names: [], mappings: "" });

/** The values of the parameters that have a text, and of no others. @throws MfError PARAM_UNKNOWN, PARAM_INVALID, FLOW_EVALUATION_FAILED */
export async function readStoredParams(
  { file, bundle, bundleId, graph }: FlowPackage,
  texts: Readonly<Record<string, string>>,
  options: StoredFlowOptions = {},
): Promise<Readonly<Record<string, ParamValue>>> {
  if (Object.keys(texts).length === 0) return {};
  const module = parseFlowModule({
    file,
    directory: dirname(file),
    id: bundleId,
    text: bundle,
    map: NO_MAP,
    inputs: [basename(file)],
    externals: new Map(),
  });
  const { cacheDir, signal, clock } = options;
  const { params } = await evaluateFlow(withExternals(module), {
    params: texts,
    settled: graph.params.map(({ name }) => name),
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal === undefined ? {} : { signal }),
    meshflowUrl: MESHFLOW_URL,
    codecUrl: CODEC_URL,
    timeLimitMs: TIME_LIMIT_MS,
    clock: clock ?? systemClock,
  });
  return params;
}

/** What the bundle still imports are the packages that were left outside. */
function withExternals(module: FlowModule): FlowModule {
  const externals = new Map<string, InstalledPackage>();
  for (const { source } of module.imports.values()) {
    if (isBuiltin(source) || /^meshflow(\/|$)/.test(source)) continue;
    const found = findPackage(packageNameOf(source), module.bundle.directory);
    if (found !== undefined) externals.set(source, found);
  }
  return { ...module, bundle: { ...module.bundle, externals } };
}
