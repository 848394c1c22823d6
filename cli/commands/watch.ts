/** `mf watch`: follows a run of the mesh to its end, whichever peer owns it. Ctrl-C leaves it running. */
import { runText } from "../../src/model/ids.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { withDaemon } from "../compose.ts";
import { followRun } from "../follow-run.ts";
import { listenForInterrupt } from "../interrupt.ts";

export interface WatchOptions extends CommonOptions {
  readonly quiet?: boolean;
}

export async function watchCommand(
  context: CommandContext,
  text: string,
  options: WatchOptions,
): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    return await withDaemon(context, async (side) => {
      const run = runText((await side.run(text)).run);
      return followRun(context, { ...options, side, run, interrupt, onInterrupt: "detach" });
    });
  } finally {
    interrupt.stop();
  }
}
