/** The commands that repeat a run: `resume`, `rerun`. Each action loads its command when it is used. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";
import { collect, labels, positiveInteger } from "./option-values.ts";
import { addRepeatLabelOptions } from "./run-labels.ts";

export const REPEAT_COMMAND_NAMES: readonly string[] = ["resume", "rerun"];

export function addRepeatCommands(program: Command, choose: (action: Action) => void): void {
  addResume(program, choose);
  addRerun(program, choose);
}

function addResume(program: Command, choose: (action: Action) => void): void {
  const command = program
    .command("resume")
    .description("go on from an ended run in a new one; what succeeded is reused")
    .argument("<run>", "flow/run; a flow alone is its newest run")
    .argument("[file]", "flow file: today's code instead of the stored one")
    .option("--from <step>", "execute this step and everything behind it, whatever is known")
    .option("-p, --param <name=value>", "a parameter that today's flow needs anew", collect)
    .option("-P, --params-file <file>", "parameters as a JSON object")
    .option("--no-check", "do not check types first");
  addRunOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Parameters, versions of inputs, seed and limits are those of the run; it is left as it was.",
        "Examples:",
        "  mf resume sweep                     its newest run, with the code that is stored with it",
        "  mf resume sweep/k3j9x2 sweep.ts     after fixing the step that failed",
        "  mf resume sweep/k3j9x2 --from fit",
      ].join("\n"),
    )
    .action((run, file, options) =>
      choose(async (context) =>
        (await import("./commands/resume.ts")).resumeCommand(context, run, { file, options }),
      ),
    );
}

function addRerun(program: Command, choose: (action: Action) => void): void {
  const command = program
    .command("rerun")
    .description("run a stored run again, without its source files; --verify compares")
    .argument("<run>", "flow/run; a flow alone is its latest run that succeeded")
    .option("--verify", "execute everything again and compare each artifact")
    .option("--from <step>", "execute this step and everything behind it, whatever is known")
    .option("-p, --param <name=value>", "another value of a parameter (may be repeated)", collect)
    .option("-P, --params-file <file>", "parameters as a JSON object")
    .option("--seed <seed>", "another seed")
    .option("--no-cache", "reuse nothing");
  addRunOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Code, parameters, versions of inputs and seed come from the store, on any peer. Known results are reused,",
        "unless --verify, --no-cache or --from says otherwise. With --verify the exit code is 0 where all is identical,",
        "1 where anything differs, cannot be compared, or the run failed.",
        "Examples:",
        "  mf rerun sweep/latest --verify",
        "  mf rerun sweep/k3j9x2 -p folds=10",
        "  mf rerun sweep/k3j9x2 --seed 7 --detach",
      ].join("\n"),
    )
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/rerun.ts")).rerunCommand(context, run, options),
      ),
    );
}

function addRunOptions(command: Command): Command {
  return addRepeatLabelOptions(command)
    .option("-d, --detach", "leave it to the daemon and do not follow it; prints the run's id")
    .option("--on <label>", "only on peers with this label (may be repeated)", labels)
    .option("--max-tasks <n>", "limit of tasks for each step", positiveInteger)
    .option("--max-workers <n>", "attempts at once", positiveInteger)
    .option("--json", "end with one JSON object; with --detach only its run")
    .option("-q, --quiet", "no progress; prints the run's id only");
}
