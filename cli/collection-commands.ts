/** The commands that remove: `rm`, `gc`. Each action loads its command when it is used. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";
import { nonNegativeInteger } from "./option-values.ts";

export const COLLECTION_COMMAND_NAMES: readonly string[] = ["rm", "gc"];

export function addCollectionCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command("rm")
    .description("remove runs: hidden at once on every peer; `mf gc` frees what only they need")
    .argument("<runs...>", "flow/run")
    .option("-f, --force", "also pinned and tagged runs")
    .option("--undo", "take a removal back, until its results are collected")
    .option("--json", 'write JSON: {"removed":[run]} or {"restored":[run]}')
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf rm weather/k3j9x2m4ab",
        "  mf rm weather/k3j9x2m4ab sweep/latest --force",
        "  mf rm --undo weather/latest          the one that was removed last",
        "What another run needs too stays: an artifact goes with the last run that needs it.",
      ].join("\n"),
    )
    .action((runs, options) =>
      choose(async (context) =>
        (await import("./commands/rm.ts")).rmCommand(context, runs, options),
      ),
    );
  program
    .command("gc")
    .description("free what no run needs; with rules, first remove the runs they do not keep")
    .option("--keep <n>", "keep the newest n runs of each flow", nonNegativeInteger)
    .option(
      "--keep-days <days>",
      "keep runs that ended less than so many days ago",
      nonNegativeInteger,
    )
    .option("--flow <flow>", "the rules remove runs of this flow only")
    .option("--dry-run", "say what would go, take nothing")
    .option(
      "--json",
      'write JSON: {"isDryRun","removed":[run],"runs","facts","contents","bytes","diskBytes","peers":[…],"unanswered":[peer]}',
    )
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf gc                                 what `mf rm` removed, and what runs left half done",
        "  mf gc --keep 20 --keep-days 30 --dry-run",
        "  mf gc --keep 2 --flow sweep",
        "A run is kept where any rule keeps it, while it goes on, and where it (or one of its artifacts) is pinned or it is tagged.",
        "In a mesh every peer collects; one that is away does so when it is back.",
      ].join("\n"),
    )
    .action((options) =>
      choose(async (context) => (await import("./commands/gc.ts")).gcCommand(context, options)),
    );
}
