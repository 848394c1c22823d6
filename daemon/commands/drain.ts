/** `mfd drain`: waits until nothing runs here any more. Ctrl-C stops the waiting, not the draining. */
import process from "node:process";
import { type CommonOptions, writeJson } from "../../cli/command-context.ts";
import { EXIT_INTERRUPTED } from "../../cli/interrupt.ts";
import { countText } from "../../cli/output/format.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";

const LINE_CLEAR = "\r\u001B[K";

export async function drainCommand(
  context: DaemonContext,
  options: CommonOptions,
): Promise<number> {
  const { terminal } = context;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal);
  try {
    await withDaemon(context, (side) =>
      side.drain(({ attempts, runs }) => {
        const left = `${countText(attempts, "attempt")}, ${countText(runs, "run")} left`;
        if (terminal.isLive) terminal.err(`${LINE_CLEAR}${left}`);
      }, interrupt.signal),
    );
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    if (terminal.isLive) terminal.err(LINE_CLEAR);
    terminal.err("draining goes on: `mfd drain` waits again, `mfd status` shows it\n");
    return EXIT_INTERRUPTED;
  } finally {
    process.off("SIGINT", onSignal);
    if (terminal.isLive) terminal.err(LINE_CLEAR);
  }
  if (options.json === true) writeJson(context, { drained: true });
  else terminal.out("drained: nothing runs here, and nothing new is taken; mfd stop ends it\n");
  return 0;
}
