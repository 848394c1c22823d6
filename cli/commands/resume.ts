/**
 * `mf resume`: a new run with the parameters, pinned versions, seed and options of an ended one; what succeeded is reused. The code is
 * the stored one, or today's where a flow file is given. JSON: as `mf run`.
 */
import type { LoadedFlow } from "../../src/code/load-flow.ts";
import {
  readOrigin,
  requireEnded,
  runToResume,
  type Origin,
} from "../../src/client/repeat/origin.ts";
import { repeatOf } from "../../src/client/repeat/repeat-request.ts";
import { settleParams } from "../../src/client/repeat/settled-params.ts";
import type { FlowPackage } from "../../src/code/flow-package.ts";
import type { ParamValue } from "../../src/engine/run-api.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import { runText, type Cid } from "../../src/model/ids.ts";
import type { SourceValue } from "../../src/model/journal.ts";
import { sourcesOf } from "../../src/graph/queries.ts";
import { resolveVersions } from "../../src/client/resolve-versions.ts";
import type { CommandContext } from "../command-context.ts";
import { loadUnlessInterrupted, type ParamOptions, readParams } from "../flow-source.ts";
import { countText } from "../output/format.ts";
import { encodeParams } from "../param-values.ts";
import { readSources } from "../source-values.ts";
import {
  labelsOf,
  limitsOf,
  runRepeat,
  tellOrigin,
  withRepeatPlace,
  type RepeatSettings,
} from "../repeat-settings.ts";
import type { RepeatPlace } from "../repeat-place.ts";
import type { Interrupt } from "../interrupt.ts";
import { requirePackagesHere } from "../required-packages.ts";
import { checkRunLabels } from "../run-labels.ts";
import { userName } from "../../src/client/user-name.ts";

export interface ResumeOptions extends RepeatSettings, ParamOptions {
  readonly check: boolean;
  readonly from?: string;
}

export async function resumeCommand(
  context: CommandContext,
  run: string,
  { file, options }: { readonly file: string | undefined; readonly options: ResumeOptions },
): Promise<number> {
  checkRunLabels(options, "resume");
  const texts = await readParams(options, "resume");
  if (file === undefined && Object.keys(texts).length > 0)
    throw new MfError("USAGE", {
      message: `A resumed run has the parameters of ${run}; with others it is another run: mf rerun ${run} -p name=value.`,
      command: "resume",
    });
  return withRepeatPlace(context, options, async (place, interrupt) => {
    const origin = await readOrigin(place.records, await runToResume(place.records, run));
    requireEnded(origin);
    const { tags, belongsTo } = labelsOf(options, origin, "resume");
    tellOrigin(context, origin, options);
    const today =
      file === undefined
        ? { flowPackage: origin.flowPackage }
        : await todaysFlow(context, origin, { file, texts, place, interrupt, options });
    requirePackagesHere(place, today.flowPackage, options);
    const repeat = await repeatOf(place.records, origin, {
      how: "resume",
      user: userName(),
      ...today,
      ...(options.from === undefined ? {} : { from: options.from }),
      belongsTo,
      limits: limitsOf(options),
    });
    if (repeat.left > 0)
      context.terminal.err(
        `warning: ${countText(repeat.left, "task")} of steps that are not cached are executed again\n`,
      );
    if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
    return runRepeat(place, { origin, repeat }, { ...options, tags, interrupt });
  });
}

interface TodaysFlowRequest {
  readonly file: string;
  readonly texts: Readonly<Record<string, string>>;
  readonly place: RepeatPlace;
  readonly interrupt: Interrupt;
  readonly options: ResumeOptions;
}

/** The code of today with the parameters of then. @throws MfError PARAM_MISSING, PARAM_UNKNOWN, PARAM_INVALID */
async function todaysFlow(
  context: CommandContext,
  origin: Origin,
  request: TodaysFlowRequest,
): Promise<{
  readonly flowPackage: FlowPackage;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly kept: readonly string[];
  readonly versions: Readonly<Record<string, Cid>>;
  readonly sources: Readonly<Record<string, SourceValue>>;
}> {
  const { file, texts, place } = request;
  const run = runText(origin.summary.run);
  const loaded = await loadToday(context, origin, request);
  const flowPackage = loaded.package;
  const { name } = flowPackage.graph;
  if (name !== origin.summary.run.flow)
    throw new MfError("USAGE", {
      message: `${file} is flow "${name}", and ${run} is a run of "${origin.summary.run.flow}".`,
      command: "resume",
    });
  const { kept, dropped } = settleParams(origin, flowPackage.graph, texts);
  if (dropped.length > 0)
    context.terminal.err(
      `warning: ${file} has no parameter ${dropped.join(", ")} any more; ${run} had its default\n`,
    );
  const params = await encodeParams(place.files, loaded.params, name);
  return { flowPackage, params, kept, ...(await newInputs(context, { origin, loaded, request })) };
}

/** What today's flow reads beyond what the origin did: as it is now. */
async function newInputs(
  context: CommandContext,
  {
    origin,
    loaded,
    request,
  }: { readonly origin: Origin; readonly loaded: LoadedFlow; readonly request: TodaysFlowRequest },
): Promise<{
  readonly versions: Readonly<Record<string, Cid>>;
  readonly sources: Readonly<Record<string, SourceValue>>;
}> {
  const { place, interrupt, options } = request;
  const { graph } = loaded.package;
  const { started } = origin;
  const known = new Set(Object.keys(started.versions));
  const versions = await resolveVersions(place.records, graph, known);
  const isNew = sourcesOf(graph).some((spec) => !Object.hasOwn(started.sources ?? {}, spec));
  if (!isNew) return { versions, sources: {} };
  const isQuiet = options.quiet === true || options.json === true;
  const { values } = await readSources(context, loaded, { store: place.files, interrupt, isQuiet });
  return { versions, sources: values };
}

async function loadToday(
  context: CommandContext,
  origin: Origin,
  { file, texts, interrupt, options }: TodaysFlowRequest,
): Promise<LoadedFlow> {
  const run = runText(origin.summary.run);
  try {
    return await loadUnlessInterrupted(context, file, {
      interrupt,
      params: texts,
      validateParams: true,
      settled: Object.keys(origin.started.params),
      checkTypes: options.check,
    });
  } catch (error) {
    if (!isMfError(error, "PARAM_MISSING")) throw error;
    const { flow, param, kind } = error.details;
    throw new MfError("PARAM_MISSING", {
      flow,
      param,
      kind: `${String(kind)}, which ${run} was not given`,
    });
  }
}
