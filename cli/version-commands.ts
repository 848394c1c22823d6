/** The commands about versions: `ls-versions`, `diff`. Each action loads its command when it is used. */
import { Option, type Command } from "commander";
import type { Action } from "./command-context.ts";
import { collect, listOf, positiveInteger } from "./option-values.ts";

export const VERSION_COMMAND_NAMES: readonly string[] = ["ls-versions", "diff"];

const KINDS = ["artifact", "source", "code"] as const;
const COLUMNS = [
  "artifact",
  "what",
  "id",
  "kind",
  "bytes",
  "run",
  "at",
  "by",
  "user",
  "code",
  "seen",
  "seenAt",
  "lastRun",
  "versions",
  "peers",
] as const;

export function addVersionCommands(program: Command, choose: (action: Action) => void): void {
  addLsVersions(program, choose);
  addDiff(program, choose);
}

function addLsVersions(program: Command, choose: (action: Action) => void): void {
  program
    .command("ls-versions")
    .description("stored versions of artifacts, sources and code, newest first")
    .argument("[names]", "flow[/step[/artifact]], flow/source:URI, flow/code:step")
    .option("--each", "every version, where a flow alone would be shown at a glance")
    .option("--glance", "one row a name: its newest version, and how many there are")
    .addOption(
      new Option("--what <kinds>", `of ${KINDS.join(", ")}`).argParser(listOf("--what", KINDS)),
    )
    .option("--since <when>", "seen since then: 2h, 3d, 2026-11-23, 2026-11-23T08:00")
    .option("--until <when>", "seen until then (a day: until its end)")
    .option("-u, --user <name>", "in runs of this user")
    .option("-t, --tag <tag>", "in runs with this tag (may be repeated: all of them)", collect)
    .option("--run <run>", "in this run: flow/run, the beginning of an id, latest, @tag")
    .option("--peer <name>", "made by this peer")
    .option("--param <name=value>", "in runs with this parameter (may be repeated)", collect)
    .option(
      "-n, --limit <n>",
      "at most this many (default: 50 in a table, else all)",
      positiveInteger,
    )
    .addOption(
      new Option("--columns <names>", `of ${COLUMNS.join(", ")}, or all`).argParser(
        listOf("--columns", COLUMNS),
      ),
    )
    .option("-q, --quiet", "ids only")
    .option("--json", "an array of rows: artifact, id, run, at, by, bytes, peers, or --columns")
    .addHelpText(
      "after",
      [
        "",
        "A version is a name with a content: the same content again is the same version, seen once more.",
        "run, at and by say who made it first; seen, seenAt and lastRun in how many runs it is, and in which last.",
        "",
        "Examples:",
        "  mf ls-versions                          what there is",
        "  mf ls-versions weather                  a flow at a glance",
        "  mf ls-versions weather/summary/table    every version of an artifact",
        "  mf ls-versions weather/code:fit         the code versions of a step",
        "  mf ls-versions weather/source:          what its sources were",
        "  mf ls-versions weather --each --since 2d --user ada --param year=2024",
        "  mf ls-versions weather/fit --json --columns all",
      ].join("\n"),
    )
    .action((names, options) =>
      choose(async (context) =>
        (await import("./commands/ls-versions.ts")).lsVersionsCommand(context, names, options),
      ),
    );
}

function addDiff(program: Command, choose: (action: Action) => void): void {
  program
    .command("diff")
    .description(
      "what differs between two runs, tasks, artifacts or contents; exits with 1 where anything does",
    )
    .argument("<a>", "flow/run[/step[index][/artifact]], or c:ID")
    .argument("<b>", "the other one; of two runs, what is named in both is compared")
    .option("--step <step>", "of two runs only this step")
    .option("--all", "what is the same too")
    .option("-q, --quiet", "say nothing; the exit code tells")
    .option("--json", "one JSON object: a, b, same, sections; see docs/versions.md")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf diff weather/k3j9x2 weather/latest",
        "  mf diff weather/k3j9x2 weather/latest --step fit",
        "  mf diff weather/k3j9x2/summary/table weather/latest/summary/table",
        "  mf diff c:bafkreia c:bafkreib",
      ].join("\n"),
    )
    .action((a, b, options) =>
      choose(async (context) =>
        (await import("./commands/diff.ts")).diffCommand(context, [a, b], options),
      ),
    );
}
