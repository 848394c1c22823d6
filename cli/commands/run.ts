/**
 * `mf run`: load and check the flow, open the store, run, show, say how it ended. Ctrl-C cancels cleanly; a second one forces.
 * Where a daemon holds the store, the daemon runs it and this command follows.
 */
import { connectDaemon, type DaemonConnection } from "../../src/client/control/control-client.ts";
import type { RunHandle, RunRequest } from "../../src/engine/run-api.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText } from "../../src/model/ids.ts";
import type { LoadedFlow } from "../../src/code/load-flow.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { openRunSide, type RunSide } from "../compose.ts";
import { loadUnlessInterrupted, type ParamOptions, readParams } from "../flow-source.ts";
import { followRun } from "../follow-run.ts";
import { listenForInterrupt, type Interrupt } from "../interrupt.ts";
import { showRun, type RunDisplay } from "../output/run-display.ts";
import { encodeParams } from "../param-values.ts";
import { reportRun } from "../run-report.ts";
import { checkRunLabels, giveTags, readRunLabels, type RunLabelOptions } from "../run-labels.ts";
import { announceSubmission, submitFlow } from "../submit-flow.ts";
import { userName, rootNote } from "../user-name.ts";

export interface RunOptions extends CommonOptions, ParamOptions, RunLabelOptions {
  readonly check: boolean;
  readonly cache: boolean;
  readonly seed?: string;
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
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
    if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
    const { run } = await submitFlow(daemon.side, loaded, options);
    if (options.quiet !== true && options.json !== true) {
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
  const { tags, ...belongsTo } = readRunLabels(options, {
    command: "run",
    project: flowPackage.graph.project,
  });
  const user = userName();
  const request: RunRequest = {
    params: await encodeParams(side.store, loaded.params, flowPackage.graph.name),
    user,
    noCache: !options.cache,
    ...belongsTo,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    ...(options.maxWorkers === undefined ? {} : { maxWorkers: options.maxWorkers }),
  };
  const note = rootNote();
  if (note !== undefined && !isQuiet(options)) context.terminal.err(`${note}\n`);
  const handle = await side.engine.start(flowPackage, request);
  const marked = giveTags(side.mark, handle.run, { tags, user });
  // The run goes on beside it; a tag that could not be written is told at the end.
  marked.catch(() => undefined);
  const code = await followHere(context, handle, { ...options, interrupt });
  await marked;
  return code;
}

/** With --json stderr is for an error in JSON only. */
function isQuiet({ quiet, json }: Pick<RunOptions, "quiet" | "json">): boolean {
  return quiet === true || json === true;
}

interface FollowRequest extends Pick<RunOptions, "quiet" | "json"> {
  readonly interrupt: Interrupt;
}

async function followHere(
  context: CommandContext,
  handle: RunHandle,
  request: FollowRequest,
): Promise<number> {
  const quiet = isQuiet(request);
  const display = showRun(handle, context.terminal, { clock: context.clock, isQuiet: quiet });
  if (!quiet) display.say(`run ${runText(handle.run)}`);
  request.interrupt.onAsked(() => cancelRun(handle, display, quiet));
  try {
    const result = await handle.finished;
    display.stop();
    return reportRun(context, result, request);
  } finally {
    display.stop();
  }
}

function cancelRun(handle: RunHandle, display: RunDisplay, isQuiet: boolean): void {
  handle.cancel();
  if (!isQuiet)
    display.say("cancelling: nothing new starts, what is done is kept (Ctrl-C again forces)");
}
