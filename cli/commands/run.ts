/**
 * `mf run`: load and check the flow, open the store, run, show, say how it ended. Ctrl-C cancels cleanly; a second one forces.
 * Where a daemon holds the store, the daemon runs it and this command follows.
 */
import { connectDaemon, type DaemonConnection } from "../../src/client/control/control-client.ts";
import { localReadSide } from "../../src/client/control/local-read-side.ts";
import { Records } from "../../src/client/records.ts";
import { resolveVersions } from "../../src/client/resolve-versions.ts";
import type { RunRequest } from "../../src/engine/run-api.ts";

import { MfError } from "../../src/model/errors.ts";
import type { LoadedFlow } from "../../src/code/load-flow.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { openRunSide, type RunSide } from "../compose.ts";
import { loadUnlessInterrupted, type ParamOptions, readParams } from "../flow-source.ts";
import { followHere } from "../follow-here.ts";
import { followRun } from "../follow-run.ts";
import { listenForInterrupt, type Interrupt } from "../interrupt.ts";
import { encodeParams } from "../param-values.ts";
import { daemonFiles, readSources } from "../source-values.ts";
import { checkRunLabels, giveTags, readRunLabels, type RunLabelOptions } from "../run-labels.ts";
import { announceSubmission, submitFlow } from "../submit-flow.ts";
import { userName, rootNote } from "../../src/client/user-name.ts";

export interface RunOptions extends CommonOptions, ParamOptions, RunLabelOptions {
  readonly check: boolean;
  readonly cache: boolean;
  readonly seed?: string;
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
  readonly rerun?: readonly string[];
  readonly quiet?: boolean;
}

export async function runCommand(
  context: CommandContext,
  file: string,
  options: RunOptions,
): Promise<number> {
  checkRunLabels(options, "run");
  const interrupt = listenForInterrupt();
  const params = await readParams(options, "run");
  const loading = loadUnlessInterrupted(context, file, {
    interrupt,
    params,
    validateParams: true,
    checkTypes: options.check,
  });
  // Its failure is looked at below, when it is known who runs the flow.
  loading.catch(() => undefined);
  const daemon = await connectDaemon(context.home, context.clock);
  if (daemon !== undefined) return runByDaemon(context, { daemon, interrupt, loading }, options);
  const opening = openRunSide(
    context,
    options.maxWorkers === undefined ? {} : { maxWorkers: options.maxWorkers },
  );
  const [loaded, opened] = await Promise.allSettled([loading, opening]);
  try {
    // What is wrong with the flow comes first: it is what the user is working on.
    if (loaded.status === "rejected") throw loaded.reason;
    if (opened.status === "rejected") throw opened.reason;
    if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
    return await runLoaded(
      context,
      { loaded: loaded.value, side: opened.value, interrupt },
      options,
    );
  } finally {
    if (opened.status === "fulfilled") await opened.value.close();
    interrupt.stop();
  }
}

interface DaemonRun {
  readonly daemon: DaemonConnection;
  readonly interrupt: Interrupt;
  readonly loading: Promise<LoadedFlow>;
}

async function runByDaemon(
  context: CommandContext,
  { daemon, interrupt, loading }: DaemonRun,
  options: RunOptions,
): Promise<number> {
  try {
    announceSubmission(context, daemon.side);
    const loaded = await loading;
    const { isQuiet } = outputOf(options);
    const store = daemonFiles(daemon.side);
    const sources = await readSources(context, loaded, { store, interrupt, isQuiet });
    if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
    const { run } = await submitFlow(daemon.side, loaded, { ...options, sources });
    if (!isQuiet) {
      const note = rootNote();
      context.terminal.err(`run ${run}\n${note === undefined ? "" : `${note}\n`}`);
    }
    const { side } = daemon;
    return await followRun(context, { ...options, side, run, interrupt, onInterrupt: "cancel" });
  } finally {
    daemon.close();
    interrupt.stop();
  }
}

interface LoadedRun {
  readonly loaded: LoadedFlow;
  readonly side: RunSide;
  readonly interrupt: Interrupt;
}

async function runLoaded(
  context: CommandContext,
  run: LoadedRun,
  options: RunOptions,
): Promise<number> {
  const { loaded, side, interrupt } = run;
  const flowPackage = loaded.package;
  const { isQuiet } = outputOf(options);
  const { store } = side;
  const { tags, ...belongsTo } = readRunLabels(options, {
    command: "run",
    project: flowPackage.graph.project,
  });
  const sources = await readSources(context, loaded, { store, interrupt, isQuiet });
  if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
  const user = userName();
  const request: RunRequest = {
    params: await encodeParams(store, loaded.params, flowPackage.graph.name),
    sources: sources.values,
    versions: await resolveVersions(new Records(localReadSide(store)), flowPackage.graph),
    user,
    noCache: !options.cache,
    ...belongsTo,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    ...(options.maxWorkers === undefined ? {} : { maxWorkers: options.maxWorkers }),
    ...(options.rerun === undefined ? {} : { rerun: options.rerun }),
  };
  const note = rootNote();
  if (note !== undefined && !isQuiet) context.terminal.err(`${note}\n`);
  const handle = await side.engine.start(flowPackage, request);
  const marked = giveTags(side.mark, handle.run, { tags, user });
  // The run goes on beside it; a tag that could not be written is told at the end.
  marked.catch(() => undefined);
  const code = await followHere(context, handle, { ...options, interrupt });
  await marked;
  return code;
}

/** With --json stderr is for an error in JSON only. */
function outputOf({ quiet, json }: RunOptions): { readonly isQuiet: boolean } {
  return { isQuiet: quiet === true || json === true };
}
