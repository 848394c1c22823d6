/** `mf run`: load and check the flow, open the store, run, show, say how it ended. Ctrl-C cancels cleanly; a second one forces. */
import process from "node:process";
import { userInfo } from "node:os";
import type { RunHandle, RunRequest, RunResult } from "../../src/engine/run-api.ts";
import { fromErrorRecord, MfError } from "../../src/model/errors.ts";
import { runText } from "../../src/model/ids.ts";
import type { LoadedFlow } from "../../src/code/load-flow.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { openRunSide, type RunSide } from "../compose.ts";
import { loadFlowSource, readParams } from "../flow-source.ts";
import { countText, durationText } from "../output/format.ts";
import { createPaint, stateStyle } from "../output/paint.ts";
import { showRun, type RunDisplay } from "../output/run-display.ts";
import { encodeParams } from "../param-values.ts";
import { errorJson, failureText } from "../render-error.ts";

export interface RunOptions extends CommonOptions {
  readonly param: readonly string[];
  readonly paramsFile?: string;
  readonly check: boolean;
  readonly cache: boolean;
  readonly seed?: string;
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
  readonly quiet?: boolean;
}

const EXIT_INTERRUPTED = 130;

export async function runCommand(
  context: CommandContext,
  file: string,
  options: RunOptions,
): Promise<number> {
  const interrupt = listenForInterrupt();
  const params = await readParams(options.param, options.paramsFile);
  const loading = loadFlowSource(context, file, {
    params,
    validateParams: true,
    checkTypes: options.check,
  });
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
  const request: RunRequest = {
    params: await encodeParams(side.store, loaded.params, flowPackage.graph.name),
    user: userName(),
    noCache: !options.cache,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(options.maxTasks === undefined ? {} : { maxTasks: options.maxTasks }),
    ...(options.maxWorkers === undefined ? {} : { maxWorkers: options.maxWorkers }),
  };
  const handle = await side.engine.start(flowPackage, request);
  // With --json stderr is for an error in JSON only.
  const isQuiet = options.quiet === true || options.json === true;
  const display = showRun(handle, context.terminal, { clock: context.clock, isQuiet });
  if (!isQuiet) display.say(`run ${runText(handle.run)}`);
  interrupt.onAsked(() => cancelRun(handle, display, isQuiet));
  try {
    const result = await handle.finished;
    display.stop();
    return report(context, result, options);
  } finally {
    display.stop();
  }
}

function cancelRun(handle: RunHandle, display: RunDisplay, isQuiet: boolean): void {
  handle.cancel();
  if (!isQuiet)
    display.say("cancelling: nothing new starts, what is done is kept (Ctrl-C again forces)");
}

function report(context: CommandContext, result: RunResult, options: RunOptions): number {
  const { terminal } = context;
  const run = runText(result.run);
  if (options.json === true) {
    reportJsonError(context, result);
    const { state, durationMs, tasks } = result;
    const { total, succeeded, failed, reused, executed } = tasks;
    writeJson(context, {
      run,
      state,
      durationMs: Math.round(durationMs),
      tasks: { total, succeeded, failed, reused, executed },
    });
  } else if (options.quiet === true) {
    reportFailures(context, result);
    terminal.out(`${run}\n`);
  } else {
    reportFailures(context, result);
    terminal.out(`${summaryLine(context, result)}\n`);
    if (result.state === "cancelled")
      terminal.err("Run it again to go on: what is done is kept and will be reused.\n");
  }
  return exitCodeOf(result);
}

function reportJsonError(context: CommandContext, result: RunResult): void {
  if (result.state === "cancelled") context.terminal.err(errorJson(new MfError("INTERRUPTED")));
  const [failure] = result.failures;
  if (failure !== undefined) context.terminal.err(errorJson(fromErrorRecord(failure.error)));
}

function reportFailures(context: CommandContext, result: RunResult): void {
  for (const failure of result.failures) {
    context.terminal.err(failureText(runText(result.run), failure, context.terminal.colourErr));
  }
}

export function summaryLine(context: Pick<CommandContext, "terminal">, result: RunResult): string {
  const paint = createPaint(context.terminal.colourOut);
  const { tasks, state } = result;
  const head = `run ${paint.bold(runText(result.run))} ${stateStyle(paint, state)(state)} in ${durationText(result.durationMs)}`;
  const isAllReused = state === "succeeded" && tasks.total > 0 && tasks.reused === tasks.total;
  if (isAllReused)
    return `${head}; nothing to do: ${tasks.total === 1 ? "its task was" : `all ${tasks.total} tasks were`} reused`;
  const counts = [`${tasks.executed} executed`, `${tasks.reused} reused`];
  if (tasks.failed > 0) counts.push(`${tasks.failed} failed`);
  const rest = tasks.total - tasks.succeeded - tasks.failed;
  if (rest > 0) counts.push(`${rest} not run`);
  return `${head}: ${countText(tasks.total, "task")}, ${counts.join(", ")}`;
}

function exitCodeOf(result: RunResult): number {
  if (result.state === "succeeded") return 0;
  return result.state === "cancelled" ? EXIT_INTERRUPTED : 1;
}

interface Interrupt {
  isAsked(): boolean;
  onAsked(callback: () => void): void;
  stop(): void;
}

/** SIGINT and SIGTERM alike: the first asks, the second leaves at once (hosts die with their parent). */
function listenForInterrupt(): Interrupt {
  let isAsked = false;
  let callback: (() => void) | undefined;
  const listener = (): void => {
    if (isAsked) process.exit(EXIT_INTERRUPTED);
    isAsked = true;
    callback?.();
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    isAsked: () => isAsked,
    onAsked(given) {
      callback = given;
      if (isAsked) given();
    },
    stop() {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}

/** A container may run as a number that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
