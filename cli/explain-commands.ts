/** The commands that explain: `plan` before a run, `why` after it. Each action loads its command when it is used. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";
import { collect, positiveInteger } from "./option-values.ts";

export const EXPLAIN_COMMAND_NAMES: readonly string[] = ["plan", "why"];

export function addExplainCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command("plan")
    .description("which tasks are known already, which would run, and why each; runs nothing")
    .argument("<file>", "flow file")
    .option("-p, --param <name=value>", "a parameter (may be repeated)", collect)
    .option("-P, --params-file <file>", "parameters as a JSON object")
    .option("--why <step>", "everything about this step (may be repeated)", collect)
    .option("--json", "write JSON: flow, tasks, steps with their reasons")
    .option("--no-check", "do not check types first")
    .option("--no-cache", "as if nothing were reused")
    .option("--rerun <step>", "as if this step were executed anyway (may be repeated)", collect)
    .option("--seed <seed>", "enters every task's seed")
    .option("--max-tasks <n>", "limit of tasks for each step", positiveInteger)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf plan sweep.ts",
        "  mf plan sweep.ts -p folds=10 --why fit",
        "  mf plan sweep.ts --rerun load --json",
      ].join("\n"),
    )
    .action((file, options) =>
      choose(async (context) =>
        (await import("./commands/plan.ts")).planCommand(context, file, options),
      ),
    );
  program
    .command("why")
    .description("where a value comes from: runs, tasks, code, inputs, back to parameters")
    .argument("<pathspec>", "flow/run/step[index][/artifact], or c:ID")
    .option("--graph", "as a mermaid diagram")
    .option("--depth <n>", "at most this many tasks deep", positiveInteger)
    .option("--json", "write JSON: facts and their inputs")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf why sweep/latest/best/winner",
        "  mf why 'sweep/latest/fit[3]' --depth 1",
        "  mf why c:bafkreigh2 --graph",
      ].join("\n"),
    )
    .action((pathspec, options) =>
      choose(async (context) =>
        (await import("./commands/why.ts")).whyCommand(context, pathspec, options),
      ),
    );
}
