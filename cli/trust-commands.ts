/** The commands that ask whether a run is what it says, and carry it elsewhere: `verify`, `export`, `import`. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";

export const TRUST_COMMAND_NAMES: readonly string[] = ["verify"];

export function addTrustCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command("verify")
    .description("check a run from its journal to every byte: hashes, keys, inputs, signatures")
    .argument("<run>", "flow/run")
    .option("--quick", "do not read contents")
    .addHelpText(
      "after",
      "\nExits with 7 where something is wrong.\n\nExamples:\n  mf verify sweep/latest\n  mf verify sweep/latest --quick\n  mf verify sweep/k3j9x2m4ab --json",
    )
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/verify.ts")).verifyCommand(context, run, options),
      ),
    );
}
