/** How a run ended: the object of --json, or its failures and one line for people; and the exit code. */
import type { RunResult } from "../src/engine/run-api.ts";
import { fromErrorRecord, MfError } from "../src/model/errors.ts";
import { runText } from "../src/model/ids.ts";
import { writeJson, type CommandContext } from "./command-context.ts";
import { EXIT_INTERRUPTED } from "./interrupt.ts";
import { countText, durationText } from "./output/format.ts";
import { createPaint, stateStyle } from "./output/paint.ts";
import { errorJson, failureText } from "./render-error.ts";

export interface ReportOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Says how it ended, instead of `reportRun`; gives the exit code. */
  readonly report?: RunReport;
}

export type RunReport = (
  context: CommandContext,
  result: RunResult,
  options: ReportOptions,
) => number | Promise<number>;

/** Gives the exit code. */
export function reportRun(
  context: CommandContext,
  result: RunResult,
  options: ReportOptions,
): number {
  const { terminal } = context;
  const run = runText(result.run);
  if (options.json === true) {
    reportJsonError(context, result);
    writeJson(context, resultJson(result));
  } else if (options.quiet === true) {
    reportFailures(context, result);
    terminal.out(`${run}\n`);
  } else {
    reportFailures(context, result);
    terminal.out(`${summaryLine(context, result)}\n`);
    for (const { step, reused } of result.cutOffs ?? [])
      terminal.out(
        `${step} ran again and came to the same: ${countText(reused, "task")} behind it reused\n`,
      );
    if (result.state === "cancelled")
      terminal.err("Run it again to go on: what is done is kept and will be reused.\n");
  }
  return exitCodeOf(result);
}

/** The object of --json. */
export function resultJson({ run, state, durationMs, tasks }: RunResult) {
  const { total, succeeded, failed, reused, executed } = tasks;
  return {
    run: runText(run),
    state,
    durationMs: Math.round(durationMs),
    tasks: { total, succeeded, failed, reused, executed },
  };
}

export function reportJsonError(context: CommandContext, result: RunResult): void {
  if (result.state === "cancelled") context.terminal.err(errorJson(new MfError("INTERRUPTED")));
  const [failure] = result.failures;
  if (failure !== undefined) context.terminal.err(errorJson(fromErrorRecord(failure.error)));
}

export function reportFailures(context: CommandContext, result: RunResult): void {
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

export function exitCodeOf(result: RunResult): number {
  if (result.state === "succeeded") return 0;
  return result.state === "cancelled" ? EXIT_INTERRUPTED : 1;
}
