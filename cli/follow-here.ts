/** Follows a run of this process to its end. The first Ctrl-C cancels it and keeps what is done. */
import type { RunHandle } from "../src/engine/run-api.ts";
import { runText } from "../src/model/ids.ts";
import type { CommandContext } from "./command-context.ts";
import type { Interrupt } from "./interrupt.ts";
import { showRun, type RunDisplay } from "./output/run-display.ts";
import { reportRun, type ReportOptions } from "./run-report.ts";

export interface FollowHereRequest extends ReportOptions {
  readonly interrupt: Interrupt;
}

/** Gives the exit code of the run. */
export async function followHere(
  context: CommandContext,
  handle: RunHandle,
  request: FollowHereRequest,
): Promise<number> {
  // With --json stderr is for an error in JSON only.
  const isQuiet = request.quiet === true || request.json === true;
  const display = showRun(handle, context.terminal, { clock: context.clock, isQuiet });
  if (!isQuiet) display.say(`run ${runText(handle.run)}`);
  request.interrupt.onAsked(() => cancelRun(handle, display, isQuiet));
  try {
    const result = await handle.finished;
    display.stop();
    return await (request.report ?? reportRun)(context, result, request);
  } finally {
    display.stop();
  }
}

function cancelRun(handle: RunHandle, display: RunDisplay, isQuiet: boolean): void {
  handle.cancel();
  if (!isQuiet)
    display.say("cancelling: nothing new starts, what is done is kept (Ctrl-C again forces)");
}
