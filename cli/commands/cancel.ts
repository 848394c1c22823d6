/** `mf cancel`: tells the owner to end a run; what is done is kept. JSON: {"run","state"}, the state being the one it was told in. */
import { hasEnded } from "../../src/client/run-result.ts";
import { runText } from "../../src/model/ids.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withDaemon } from "../compose.ts";

export async function cancelCommand(
  context: CommandContext,
  text: string,
  options: CommonOptions,
): Promise<number> {
  const { run, state, isOver } = await withDaemon(context, async (side) => {
    const summary = await side.run(text);
    const run = runText(summary.run);
    const isOver = hasEnded(summary);
    if (!isOver) await side.cancel(run);
    return { run, state: summary.state, isOver };
  });
  if (options.json === true) writeJson(context, { run, state });
  else
    context.terminal.out(
      isOver ? `${run} has ended already: ${state}\n` : `cancelling ${run}; what is done is kept\n`,
    );
  return 0;
}
