/** The command that gives back what runs made and read: `get`. */
import { Option, type Command } from "commander";
import type { Action } from "./command-context.ts";

export const GET_COMMAND_NAMES: readonly string[] = ["get"];

export function addGetCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command("get")
    .description("print or save an artifact or a source, verified by its hash")
    .argument("<pathspec>", "flow/run/step[index][/artifact], flow/run/source:PATH, or c:ID")
    .option("-o, --output <path>", "write to a file or a directory; - is stdout")
    .addOption(
      new Option("--as <form>", "form (default: as -o is named, else JSON)").choices([
        "json",
        "bytes",
        "npy",
        "csv",
        "file",
        "directory",
      ]),
    )
    .option("--force", "replace files that exist")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf get sweep/latest/best/winner",
        "  mf get sweep/latest/best/table -o table.csv",
        "  mf get 'sweep/latest/fit[3]' -o fit3/             one file for each artifact",
        "  mf get sweep/latest/source:data/iris.csv -o .     what the run read",
      ].join("\n"),
    )
    .action((pathspec, options) =>
      choose(async (context) =>
        (await import("./commands/get.ts")).getCommand(context, pathspec, options),
      ),
    );
}
