/** The commands that say something of runs after the fact: `tag`, `note`, `pin`. Each action loads its command when it is used. */
import type { Command } from "commander";
import type { Action } from "./command-context.ts";
import { collect } from "./option-values.ts";

export const MARK_COMMAND_NAMES: readonly string[] = ["tag", "note", "pin"];

export function addMarkCommands(program: Command, choose: (action: Action) => void): void {
  addTag(program, choose);
  program
    .command("note")
    .description("write a note on a run, or read it")
    .argument("<run>", "flow/run")
    .argument("[text...]", "the note; - reads it from standard input; none prints it")
    .option("-d, --remove", "take the note off")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        '  mf note sweep/latest "learning rate from the paper"',
        "  mf note sweep/latest",
        "  mf note sweep/@best - < remarks.md",
      ].join("\n"),
    )
    .action((run, text, options) =>
      choose(async (context) =>
        (await import("./commands/note.ts")).noteCommand(context, { run, words: text }, options),
      ),
    );
  program
    .command("pin")
    .description("keep a run or an artifact from being collected; list what is kept")
    .argument("[what]", "flow/run, flow/run/step[index]/artifact, or c:ID")
    .option("-d, --remove", "let it go again")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf pin sweep/@best",
        "  mf pin sweep/latest/fit[3]/model",
        "  mf pin sweep/@best --remove",
        "  mf pin",
      ].join("\n"),
    )
    .action((what, options) =>
      choose(async (context) =>
        (await import("./commands/pin.ts")).pinCommand(context, what, options),
      ),
    );
}

function addTag(program: Command, choose: (action: Action) => void): void {
  program
    .command("tag")
    .description("give a run tags, take them off, list them")
    .argument("[run]", "flow/run; without tags: lists those of the run, the flow, or all")
    .argument("[tags...]", "words")
    .option("-d, --remove", "take these tags off")
    .option("--replace <tag>", "take this one off in the same moment (may be repeated)", collect)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf tag sweep/latest best v2",
        "  mf tag sweep/latest v3 --replace v2",
        "  mf tag sweep/@best best --remove",
        "  mf tag sweep/latest           its tags, those that it has by itself too",
        "  mf tag                        every tag of every run",
        "  mf get sweep/@best/fit/loss   a tag names the newest run that has it",
        "Tags of the form user:, flow:, project:, branch:, version:, origin:, state: are the run's own.",
      ].join("\n"),
    )
    .action((run, tags, options) =>
      choose(async (context) =>
        (await import("./commands/tag.ts")).tagCommand(
          context,
          run === undefined ? [] : [run, ...tags],
          options,
        ),
      ),
    );
}
