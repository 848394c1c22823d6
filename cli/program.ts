/** The commands and their options, as commander declares them. Nothing heavy is imported here: each action loads its command. */
import { Command, CommanderError, Option, type OutputConfiguration } from "commander";
import { MfError } from "../src/model/errors.ts";
import { addCollectionCommands, COLLECTION_COMMAND_NAMES } from "./collection-commands.ts";
import type { Action, CommandContext } from "./command-context.ts";
import { addGetCommands, GET_COMMAND_NAMES } from "./get-commands.ts";
import { addMarkCommands, MARK_COMMAND_NAMES } from "./mark-commands.ts";
import { addExplainCommands, EXPLAIN_COMMAND_NAMES } from "./explain-commands.ts";
import { addMeshCommands, MESH_COMMAND_NAMES } from "./mesh-commands.ts";
import { collect, duration, nonNegativeInteger, positiveInteger } from "./option-values.ts";
import { packageVersion } from "./package-root.ts";
import { addVersionCommands, VERSION_COMMAND_NAMES } from "./version-commands.ts";
import { addLabelOptions } from "./run-labels.ts";
import { addRepeatCommands, REPEAT_COMMAND_NAMES } from "./repeat-commands.ts";
import { addTrustCommands, TRUST_COMMAND_NAMES } from "./trust-commands.ts";

/** Parses, runs the command, gives its exit code. @throws MfError */
export async function runProgram(
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  let chosen: Action | undefined;
  const program = createProgram(
    (action) => {
      chosen = action;
    },
    {
      writeOut: (text) => context.terminal.out(text),
      // A usage error is thrown and rendered like every other.
      writeErr: () => undefined,
      getOutHelpWidth: () => context.terminal.width(),
    },
  );
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, argv);
  }
  return chosen === undefined ? 0 : chosen(context);
}

function usageError(error: CommanderError, argv: readonly string[]): MfError {
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  const name = argv.find((word) => !word.startsWith("-"));
  const isKnown = name !== undefined && COMMAND_NAMES.includes(name);
  return new MfError("USAGE", {
    message: `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.?)]$/.test(message) ? "" : "."}`,
    command: isKnown ? name : "",
  });
}

export const COMMAND_NAMES: readonly string[] = [
  "run",
  ...MESH_COMMAND_NAMES,
  ...MARK_COMMAND_NAMES,
  ...REPEAT_COMMAND_NAMES,
  ...COLLECTION_COMMAND_NAMES,
  ...EXPLAIN_COMMAND_NAMES,
  ...TRUST_COMMAND_NAMES,
  "check",
  "show",
  "ls",
  "status",
  "logs",
  ...VERSION_COMMAND_NAMES,
  ...GET_COMMAND_NAMES,
  "init",
  "completion",
  "doctor",
  "version",
];

export function createProgram(
  choose: (action: Action) => void,
  output: OutputConfiguration = {},
): Command {
  const program = new Command("mf");
  program
    // Before the commands are added: each takes over what its program has at that moment.
    .configureOutput(output)
    .description("Scientific workflows on the machines a lab already has.")
    .version(packageVersion(), "-V, --version")
    .exitOverride()
    .showHelpAfterError(false)
    .addHelpText(
      "after",
      "\nMF_HOME=DIR keeps runs and artifacts in DIR (default: the platform's data directory).",
    );
  program.commandsGroup("Run:");
  addFlowCommands(program, choose);
  addRepeatCommands(program, choose);
  program.commandsGroup("On the mesh:");
  addMeshCommands(program, choose);
  program.commandsGroup("Look and explain:");
  addReadCommands(program, choose);
  addGetCommands(program, choose);
  addVersionCommands(program, choose);
  addExplainCommands(program, choose);
  program.commandsGroup("Keep, check and remove:");
  addMarkCommands(program, choose);
  addTrustCommands(program, choose);
  addCollectionCommands(program, choose);
  program.commandsGroup("More:").helpCommand(true);
  addOtherCommands(program, choose);
  for (const command of program.commands) {
    command.exitOverride();
    if (!command.options.some((option) => option.long === "--json")) {
      command.option("--json", "write JSON");
    }
  }
  return program;
}

function addFlowCommands(program: Command, choose: (action: Action) => void): void {
  addLabelOptions(program.command("run"))
    .description("run a flow here; tasks whose results are known are reused")
    .argument("<file>", "flow file")
    .option("-p, --param <name=value>", "a parameter (may be repeated)", collect)
    .option("-P, --params-file <file>", "parameters as a JSON object")
    .option("--json", "end with one JSON object: run, state, durationMs, tasks")
    .option("--no-check", "do not check types first")
    .option("--no-cache", "reuse nothing")
    .option(
      "--rerun <step>",
      "execute this step though its results are known (may be repeated)",
      collect,
    )
    .option("--seed <seed>", "enters every task's seed")
    .option("--max-tasks <n>", "limit of tasks for each step", positiveInteger)
    .option("--max-workers <n>", "attempts at once", positiveInteger)
    .option("-q, --quiet", "no progress; prints the run's id only")
    .addHelpText(
      "after",
      "\nExamples:\n  mf run sweep.ts -p folds=10\n  mf run sweep.ts --rerun fit",
    )
    .action((file, options) =>
      choose(async (context) =>
        (await import("./commands/run.ts")).runCommand(context, file, options),
      ),
    );
  program
    .command("check")
    .description("type errors, graph errors and captured variables, all at once")
    .argument("<file>", "flow file")
    .action((file, options) =>
      choose(async (context) =>
        (await import("./commands/check.ts")).checkCommand(context, file, options),
      ),
    );
  program
    .command("show")
    .description("draw a flow, or a run with the states of its steps")
    .argument("<flow-or-run>", "flow file, or flow/run")
    .addOption(
      new Option("--as <form>", "form")
        .choices(["tty", "mermaid", "dot", "svg", "html"])
        .default("tty"),
    )
    .option("-o, --output <file>", "write to a file")
    .action((target, options) =>
      choose(async (context) =>
        (await import("./commands/show.ts")).showCommand(context, target, options),
      ),
    );
}

function addLs(program: Command, choose: (action: Action) => void): void {
  program
    .command("ls")
    .description("list runs: yours first, each newest first")
    .argument("[flow]", "only this flow's")
    .option("-n, --limit <n>", "at most this many", positiveInteger, 50)
    .addOption(
      new Option("--state <state>", "only in this state").choices([
        "waiting",
        "running",
        "succeeded",
        "failed",
        "cancelled",
      ]),
    )
    .option("--mine", "only yours")
    .option("-a, --all", "everybody's, by time only")
    .option("-u, --user <name>", "only this user's")
    .option("-t, --tag <tag>", "only with this tag (may be repeated: all of them)", collect)
    .option("--project <name>", "only of this project")
    .option("--branch <name>", "only of this branch")
    .option("--since <time>", "begun since: 2h, 7d, 2026-11-23, 2026-11-23T14:30")
    .option("--until <time>", "begun until")
    .option("-w, --wide", "tags, project, branch, origin, pin and note too")
    .option("-q, --quiet", "ids only")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  mf ls sweep --mine --since 7d",
        "  mf ls --tag best --wide",
        "  mf ls --tag user:ada --tag state:failed",
        "  mf ls --json",
        "You are MF_USER, else the account's name. Times are of this machine's zone; 2026-11-23T14:30Z is UTC.",
      ].join("\n"),
    )
    .action((flow, options) =>
      choose(async (context) =>
        (await import("./commands/ls.ts")).lsCommand(context, flow, options),
      ),
    );
}

function addReadCommands(program: Command, choose: (action: Action) => void): void {
  addLs(program, choose);
  program
    .command("status")
    .description("steps, counts and failures of a run")
    .argument("<run>", "flow/run")
    .action((run, options) =>
      choose(async (context) =>
        (await import("./commands/status.ts")).statusCommand(context, run, options),
      ),
    );
  program
    .command("logs")
    .description("what steps printed")
    .argument("<pathspec>", "flow/run[/step[index]]")
    .option("-f, --follow", "go on until the run ends")
    .option("--stderr", "only what went to stderr")
    .option("--tail <n>", "only the last lines", nonNegativeInteger)
    .option("--since <duration>", "only the last 90s, 10m, 2h, 1d", duration)
    .action((pathspec, options) =>
      choose(async (context) =>
        (await import("./commands/logs.ts")).logsCommand(context, pathspec, options),
      ),
    );
}

function addOtherCommands(program: Command, choose: (action: Action) => void): void {
  program
    .command("init")
    .description("write a first flow")
    .argument("[directory]", "where", ".")
    .addOption(
      new Option("--template <name>", "template").choices(["hello", "python"]).default("hello"),
    )
    .action((directory, options) =>
      choose(async (context) =>
        (await import("./commands/init.ts")).initCommand(context, directory, options),
      ),
    );
  program
    .command("completion")
    .description('print a completion script: eval "$(mf completion bash)"')
    .argument("<shell>", "bash, zsh or fish")
    .action((shell, options) =>
      choose(async (context) =>
        (await import("./commands/completion.ts")).completionCommand(
          context,
          shell,
          options,
          program,
        ),
      ),
    );
  program
    .command("doctor")
    .description("check what Meshflow needs: Node.js, Python, store, disk")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/doctor.ts")).doctorCommand(context, options),
      ),
    );
  program
    .command("version")
    .description("print versions")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/version.ts")).versionCommand(context, options),
      ),
    );
}
