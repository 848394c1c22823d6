/** The commands that ask the daemon: `submit`, `watch`, `cancel`, `peers`. Each action loads its command when it is used. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";
import { collect, labels, positiveInteger } from "./option-values.ts";
import { addLabelOptions } from "./run-labels.ts";

export const MESH_COMMAND_NAMES: readonly string[] = ["submit", "watch", "cancel", "peers"];

export function addMeshCommands(program: Command, choose: (action: Action) => void): void {
  addSubmit(program, choose);
  program
    .command("watch")
    .description("follow a run of the mesh to its end; Ctrl-C leaves it running")
    .argument("<run>", "flow/run")
    .option("--json", "end with one JSON object: run, state, durationMs, tasks")
    .option("-q, --quiet", "no progress; prints the run's id only")
    .addHelpText(
      "after",
      "\nExamples:\n  mf watch weather/latest\n  mf watch weather/k3j9x2m4ab --json",
    )
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/watch.ts")).watchCommand(context, run, options),
      ),
    );
  program
    .command("cancel")
    .description("end a run of the mesh; what is done is kept")
    .argument("<run>", "flow/run")
    .addHelpText("after", "\nExamples:\n  mf cancel weather/latest")
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/cancel.ts")).cancelCommand(context, run, options),
      ),
    );
  program
    .command("peers")
    .description("the machines of the mesh: what they have, how loaded they are")
    .option("-w, --wide", "whole ids, labels, roles and addresses too")
    .option("--watch", "again every second, until Ctrl-C")
    .addHelpText("after", "\nExamples:\n  mf peers\n  mf peers --wide\n  mf peers --json")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/peers.ts")).peersCommand(context, options),
      ),
    );
}

function addSubmit(program: Command, choose: (action: Action) => void): void {
  addLabelOptions(program.command("submit"))
    .description("run a flow on the mesh; it goes on when this terminal is closed")
    .argument("<file>", "flow file")
    .option("-p, --param <name=value>", "a parameter (may be repeated)", collect)
    .option("-P, --params-file <file>", "parameters as a JSON object")
    .option("-d, --detach", "do not follow it; prints the run's id")
    .option("--on <label>", "only on peers with this label (may be repeated)", labels)
    .option("--json", "end with one JSON object; with --detach only its run")
    .option("--no-check", "do not check types first")
    .option("--no-cache", "reuse nothing")
    .option("--seed <seed>", "enters every task's seed")
    .option("--max-tasks <n>", "limit of tasks for each step", positiveInteger)
    .option("-q, --quiet", "no progress; prints the run's id only")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf submit sweep.ts -p folds=10",
        "  mf submit sweep.ts --detach --on gpu",
        "Ctrl-C stops following and leaves the run going: mf watch, mf cancel.",
      ].join("\n"),
    )
    .action((file, options) =>
      choose(async (context) =>
        (await import("./commands/submit.ts")).submitCommand(context, file, options),
      ),
    );
}
