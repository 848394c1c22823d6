/** `mf rm`: hides runs at once; what only they need goes with the next collection. JSON: {"removed":[run]} or {"restored":[run]}. */
import { removals, restorations, runsOf } from "../../src/client/collection/remove-runs.ts";
import type { MarkChange } from "../../src/client/control/daemon-side.ts";
import { Records } from "../../src/client/records.ts";
import { writeMarks } from "../../src/client/write-marks.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withHome, type HomeSide } from "../compose.ts";
import { countText } from "../output/format.ts";
import { userName } from "../../src/client/user-name.ts";

export interface RmOptions extends CommonOptions {
  readonly force?: boolean;
  readonly undo?: boolean;
}

export async function rmCommand(
  context: CommandContext,
  texts: readonly string[],
  options: RmOptions,
): Promise<number> {
  const isUndo = options.undo === true;
  const runs = await withHome(context, async (home) => {
    const records = new Records(home.readSide);
    const user = userName();
    const changes = isUndo
      ? await restorations(records, texts, user)
      : await removals(records, texts, { user, force: options.force === true });
    await writeChanges(context, home, changes);
    return runsOf(changes);
  });
  if (options.json === true) writeJson(context, isUndo ? { restored: runs } : { removed: runs });
  else {
    for (const run of runs) context.terminal.out(`${run}\n`);
    context.terminal.err(
      isUndo
        ? `${countText(runs.length, "run")} restored\n`
        : `${countText(runs.length, "run")} removed; \`mf rm --undo\` takes that back until \`mf gc\` has freed what only they need\n`,
    );
  }
  return 0;
}

export async function writeChanges(
  { clock }: Pick<CommandContext, "clock">,
  home: HomeSide,
  changes: readonly MarkChange[],
): Promise<void> {
  if (changes.length === 0) return;
  if ("daemon" in home) await home.daemon.mark(changes);
  else await writeMarks(home.store, changes, { now: clock.now() });
}
