/** The commands that ask whether a run is what it says, and carry it elsewhere: `verify`, `export`, `import`. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";

export const TRUST_COMMAND_NAMES: readonly string[] = ["verify", "export", "import"];

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
  program
    .command("export")
    .description("a run in one file: journal, facts, signatures, code, parameters, data")
    .argument("<run>", "flow/run")
    .requiredOption("-o, --output <file>", "the file, by custom x.mfpack; `tar tf` lists it")
    .option("--force", "replace a file that exists")
    .option("--no-data", "leave out contents over 16 KiB")
    .addHelpText(
      "after",
      "\nExamples:\n  mf export sweep/latest -o sweep.mfpack\n  mf export sweep/latest -o small.mfpack --no-data\n  tar tf sweep.mfpack",
    )
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/export.ts")).exportCommand(context, run, options),
      ),
    );
  program
    .command("import")
    .description("take a run that another home exported; checked whole before anything is taken")
    .argument("<file>", "what `mf export` wrote")
    .addHelpText(
      "after",
      "\nThe same file twice is one run; another run of that id is never replaced.\n\nExamples:\n  mf import sweep.mfpack && mf verify sweep/latest\n  mf import sweep.mfpack --json",
    )
    .action((file, options) =>
      choose(async (context) =>
        (await import("./commands/import.ts")).importCommand(context, file, options),
      ),
    );
}
