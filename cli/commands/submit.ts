/** `mf submit`: load and check the flow here, hand it to the daemon, follow it. Ctrl-C detaches; nothing here stops the run. */
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withDaemon } from "../compose.ts";
import { loadUnlessInterrupted, type ParamOptions, readParams } from "../flow-source.ts";
import { followRun } from "../follow-run.ts";
import { listenForInterrupt, type Interrupt } from "../interrupt.ts";
import { daemonFiles, readSources } from "../source-values.ts";
import { checkRunLabels } from "../run-labels.ts";
import { rootNote } from "../../src/client/user-name.ts";
import { announceSubmission, submitFlow, type SubmitSettings } from "../submit-flow.ts";
import { MfError } from "../../src/model/errors.ts";
import type { DaemonSide } from "../../src/client/control/daemon-side.ts";

export interface SubmitOptions extends CommonOptions, ParamOptions, SubmitSettings {
  readonly check: boolean;
  readonly detach?: boolean;
  readonly quiet?: boolean;
}

export async function submitCommand(
  context: CommandContext,
  file: string,
  options: SubmitOptions,
): Promise<number> {
  checkRunLabels(options, "submit");
  const interrupt = listenForInterrupt();
  try {
    const params = await readParams(options, "submit");
    return await withDaemon(context, (side) =>
      submitAndFollow(context, { side, interrupt, file, params }, options),
    );
  } finally {
    interrupt.stop();
  }
}

interface Submission {
  readonly side: DaemonSide;
  readonly interrupt: Interrupt;
  readonly file: string;
  readonly params: Readonly<Record<string, string>>;
}

async function submitAndFollow(
  context: CommandContext,
  { side, interrupt, file, params }: Submission,
  options: SubmitOptions,
): Promise<number> {
  announceSubmission(context, side);
  const loaded = await loadUnlessInterrupted(context, file, {
    interrupt,
    params,
    validateParams: true,
    checkTypes: options.check,
  });
  const isQuiet = options.quiet === true || options.json === true;
  const reading = { store: daemonFiles(side), interrupt, isQuiet };
  const sources = await readSources(context, loaded, reading);
  if (interrupt.isAsked()) throw new MfError("INTERRUPTED");
  const { run, owner, copies } = await submitFlow(side, loaded, { ...options, sources });
  if (options.detach === true) {
    if (options.json === true) writeJson(context, { run });
    else context.terminal.out(`${run}\n`);
    return 0;
  }
  if (!isQuiet) {
    const kept = copies > 1 ? `kept by ${copies} peers` : "kept by one peer only";
    context.terminal.err(`run ${run}, owner ${owner}, ${kept}\n`);
    const note = rootNote();
    if (note !== undefined) context.terminal.err(`${note}\n`);
  }
  return followRun(context, { ...options, side, run, interrupt, onInterrupt: "detach" });
}
