/** A new run made of an old one: its code, parameters, pinned versions, seed and options, but for what is asked to be otherwise. */
import type { FlowPackage } from "../../code/flow-package.ts";
import type { ParamValue, RunRequest } from "../../engine/run-api.ts";
import { pastSources } from "../../engine/run/given-sources.ts";
import { provenanceOf } from "../../engine/run/provenance.ts";
import { runText } from "../../model/ids.ts";
import type { RunOptions, RunOrigin } from "../../model/journal.ts";
import type { Records } from "../records.ts";
import { keptResults } from "./kept-results.ts";
import { requireReachable, succeededTasks, type Origin } from "./origin.ts";
import { storedParams } from "./settled-params.ts";
import { stepsFrom } from "./steps-behind.ts";

export interface RepeatChanges {
  readonly how: RunOrigin["how"];
  readonly user: string;
  /** Today's, instead of the stored one. */
  readonly flowPackage?: FlowPackage;
  /** Instead of the origin's, or beside them. */
  readonly params?: Readonly<Record<string, ParamValue>>;
  /** Parameters that keep their value. @default all that are not in `params` */
  readonly kept?: readonly string[];
  /** What today's flow reads and the origin did not. */
  readonly versions?: RunRequest["versions"];
  readonly sources?: RunRequest["sources"];
  /** This step and everything behind it are executed, whatever is known. */
  readonly from?: string;
  readonly seed?: string;
  readonly noCache?: boolean;
  /** Instead of the origin's project and branch. */
  readonly belongsTo?: Pick<RunRequest, "project" | "branch">;
  readonly limits?: Pick<RunOptions, "maxTasks" | "maxWorkers" | "labels">;
}

export interface Repeat {
  readonly flowPackage: FlowPackage;
  readonly request: RunRequest;
  /** Tasks that the origin had made and that are made again, because there are too many to name. */
  readonly left: number;
}

/** Everything that it takes is here, or was found to be reachable. @throws MfError STEP_UNKNOWN, RUN_INCOMPLETE */
export async function repeatOf(
  records: Records,
  origin: Origin,
  changes: RepeatChanges,
): Promise<Repeat> {
  const { started, summary } = origin;
  const { how, user, seed, params = {}, limits = {} } = changes;
  const flowPackage = changes.flowPackage ?? origin.flowPackage;
  const rerun = changes.from === undefined ? [] : stepsFrom(flowPackage.graph, changes.from);
  const names = changes.kept ?? Object.keys(started.params);
  const stored = await storedParams(
    records,
    origin,
    names.filter((name) => !Object.hasOwn(params, name)),
  );
  const versions = { ...changes.versions, ...started.versions };
  const pinned = await pastSources((id) => records.read(id), started.sources);
  const sources = { ...changes.sources, ...pinned.sources };
  await requireReachable(
    records,
    runText(summary.run),
    Object.entries(started.versions).map(([pathspec, id]) => ({
      what: `its version of ${pathspec}`,
      id,
    })),
  );
  const { results, left } =
    how === "resume"
      ? await keptResults(records, [...succeededTasks(origin.journal).values()], {
          graph: flowPackage.graph,
          rerun: new Set(rerun),
        })
      : { results: [], left: 0 };
  const { maxTasks, maxWorkers, labels } = { ...started.options, ...limits };
  const noCache = how === "verify" || changes.noCache === true;
  return {
    flowPackage,
    left,
    request: {
      params: { ...stored, ...params },
      user,
      seed: seed ?? started.seed,
      versions,
      ...(Object.keys(sources).length === 0 ? {} : { sources }),
      ...provenanceOf({
        ...started,
        ...changes.belongsTo,
        origin: { run: runText(summary.run), how },
      }),
      ...(noCache ? { noCache } : {}),
      ...(maxTasks === undefined ? {} : { maxTasks }),
      ...(maxWorkers === undefined ? {} : { maxWorkers }),
      ...(labels === undefined ? {} : { labels }),
      ...(rerun.length === 0 ? {} : { rerun }),
      ...(results.length === 0 ? {} : { results }),
    },
  };
}
