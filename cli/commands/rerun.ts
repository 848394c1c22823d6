/**
 * `mf rerun`: the same again, on any peer, without the source files: code, parameters, input versions and seed come from the store.
 * `--verify` executes everything again and compares. JSON: as `mf run`; with --verify also
 * {"verify":{"origin","identical","different","incomparable","diverged":[step],"first":finding|null,"findings":[finding],"listed"}},
 * a finding being {"task","artifact","verdict","why","own","before","after","difference":{"path","before","after","note"}}.
 */
import { madeRun } from "../../src/client/repeat/verification.ts";
import { readOrigin, requireEnded, type Origin } from "../../src/client/repeat/origin.ts";
import { repeatOf } from "../../src/client/repeat/repeat-request.ts";
import { readStoredParams } from "../../src/code/stored-flow.ts";
import type { ParamValue } from "../../src/engine/run-api.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText } from "../../src/model/ids.ts";
import type { CommandContext } from "../command-context.ts";
import { cacheOption, type ParamOptions, readParams } from "../flow-source.ts";
import { encodeParams } from "../param-values.ts";
import type { RepeatPlace } from "../repeat-place.ts";
import {
  labelsOf,
  limitsOf,
  runRepeat,
  tellOrigin,
  withRepeatPlace,
  type RepeatSettings,
} from "../repeat-settings.ts";
import { requirePackagesHere } from "../required-packages.ts";
import { checkRunLabels } from "../run-labels.ts";
import { reportRun, type RunReport } from "../run-report.ts";
import { userName } from "../../src/client/user-name.ts";
import { verifyReport } from "../verify-report.ts";

export interface RerunOptions extends RepeatSettings, ParamOptions {
  readonly verify?: boolean;
  readonly from?: string;
  readonly seed?: string;
  readonly cache: boolean;
}

export async function rerunCommand(
  context: CommandContext,
  run: string,
  options: RerunOptions,
): Promise<number> {
  checkRunLabels(options, "rerun");
  const texts = await readParams(options, "rerun");
  const isVerify = options.verify === true;
  if (isVerify) refuseOthers(options, texts);
  return withRepeatPlace(context, options, async (place, interrupt) => {
    const origin = await readOrigin(place.records, run.includes("/") ? run : `${run}/latest`);
    if (isVerify) requireEnded(origin);
    const { tags, belongsTo } = labelsOf(options, origin, "rerun");
    tellOrigin(context, origin, options);
    requirePackagesHere(place, origin.flowPackage, options);
    const params = await givenParams(context, { origin, place, texts });
    const repeat = await repeatOf(place.records, origin, {
      how: isVerify ? "verify" : "rerun",
      user: userName(),
      params,
      noCache: !options.cache,
      belongsTo,
      limits: limitsOf(options),
      ...(options.from === undefined ? {} : { from: options.from }),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    });
    const { records } = place;
    const before = isVerify ? await madeRun(records, origin.journal) : undefined;
    if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
    const report = before === undefined ? reportRerun : verifyReport({ records, origin, before });
    return runRepeat(place, { origin, repeat }, { ...options, tags, interrupt, report });
  });
}

/** Whoever sees that nothing was executed may have meant that it should be. */
const reportRerun: RunReport = (context, result, options) => {
  const code = reportRun(context, result, options);
  const { tasks, state } = result;
  const isAllReused = state === "succeeded" && tasks.reused === tasks.total;
  if (isAllReused && options.json !== true && options.quiet !== true)
    context.terminal.err("--verify executes it again and compares; --no-cache only executes it\n");
  return code;
};

/** What is compared must be the same run, and there must be somebody to tell. */
function refuseOthers(
  { from, seed, detach, quiet }: RerunOptions,
  texts: Readonly<Record<string, string>>,
): void {
  const given = [
    ...(Object.keys(texts).length === 0 ? [] : ["-p"]),
    ...(from === undefined ? [] : ["--from"]),
    ...(seed === undefined ? [] : ["--seed"]),
  ];
  if (given.length > 0)
    throw new MfError("USAGE", {
      message: `--verify executes the same again, so ${given.join(" and ")} cannot be given with it.`,
      command: "rerun",
    });
  if (detach === true || quiet === true)
    throw new MfError("USAGE", {
      message: `--verify compares when the run has ended, so ${detach === true ? "--detach" : "--quiet"} cannot be given with it.`,
      command: "rerun",
    });
}

interface GivenParams {
  readonly origin: Origin;
  readonly place: RepeatPlace;
  readonly texts: Readonly<Record<string, string>>;
}

/** Read by the schemas of the stored flow. */
async function givenParams(
  context: CommandContext,
  { origin, place, texts }: GivenParams,
): Promise<Record<string, ParamValue>> {
  const { flowPackage, summary } = origin;
  context.logger.debug("rerun.params", { run: runText(summary.run), names: Object.keys(texts) });
  const loaded = await readStoredParams(flowPackage, texts, cacheOption(context.home));
  return encodeParams(place.files, loaded, flowPackage.graph.name);
}
