/** The commands of mfd and their options, as commander declares them. Each action loads its command when it is used. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDurationText } from "../cli/output/format.ts";
import { MfError } from "../src/model/errors.ts";
import type { DaemonContext } from "./daemon-context.ts";

type Action = (context: DaemonContext) => Promise<number>;

/** Parses, runs the command, gives its exit code. @throws MfError */
export async function runDaemonProgram(
  argv: readonly string[],
  context: DaemonContext,
): Promise<number> {
  let chosen: Action | undefined;
  const program = createDaemonProgram(context, (action) => {
    chosen = action;
  });
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
    return chosen === undefined ? 0 : await chosen(context);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    throw error instanceof CommanderError ? usageError(error, program, argv) : error;
  }
}

function usageError(error: CommanderError, program: Command, argv: readonly string[]): MfError {
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  const name = argv.find((word) => !word.startsWith("-"));
  const isKnown = program.commands.some((command) => command.name() === name);
  return new MfError("USAGE", {
    message: `${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.?)]$/.test(message) ? "" : "."}`,
    command: isKnown ? name : "",
  });
}

function createDaemonProgram(context: DaemonContext, choose: (action: Action) => void): Command {
  const { terminal, version } = context;
  const program = new Command("mfd");
  program
    // Before the commands are added: each takes over what its program has at that moment.
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      // A usage error is thrown and rendered like every other.
      writeErr: () => undefined,
      getOutHelpWidth: () => terminal.width(),
    })
    .description("The daemon that makes this machine a peer of a mesh.")
    .version(version, "-V, --version")
    .exitOverride()
    .showHelpAfterError(false)
    .addHelpText(
      "after",
      `
Examples:
  mfd start                               the first peer of a new mesh
  mfd invite                              a ticket for one more machine
  mfd start --join mft1…                  on that machine
  MF_HOME=/tmp/b mfd start --join mft1…   a second daemon on the same machine
  mfd stop

MF_HOME=DIR keeps everything in DIR (default: the platform's data directory). One daemon a home.`,
    );
  addStart(program, choose);
  addMembers(program, choose);
  addLife(program, choose);
  addCompletion(program, choose);
  for (const command of program.commands) {
    command.exitOverride();
    command.option("--json", "write JSON");
  }
  return program;
}

function addStart(program: Command, choose: (action: Action) => void): void {
  program
    .command("start")
    .description("start the daemon; returns once it answers")
    .option("--foreground", "stay, and show the log here")
    .option("--name <name>", "how people know this peer")
    .option("--listen <host:port>", "where to listen (may be repeated)", collect)
    .option("--cpus <n>", "cores for attempts: 4 or 50%")
    .option("--mem <size>", "memory for attempts: 4GB or 50%")
    .option("--label <label>", "fast or disk=ssd, for --on (may be repeated)", collect)
    .option("--store-max <size>", "largest store: 200GB or 50% of the disk")
    .option("--roles <roles>", "what this machine is willing to do: submit,store,work,admin")
    .option("--join <ticket>", "join the mesh that the ticket is for")
    .addOption(new Option("--from-parent").hideHelp())
    .addHelpText(
      "after",
      `
Examples:
  mfd start --name lab-7 --cpus 50% --mem 16GB --label gpu
  mfd start --listen 10.0.0.7:4001 --join mft1…`,
    )
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/start.ts")).startCommand(context, options),
      ),
    );
}

function addMembers(program: Command, choose: (action: Action) => void): void {
  program
    .command("invite")
    .description("print a ticket that lets one machine join")
    .option("--roles <roles>", "what it may do (default: submit,store,work)")
    .option("--ttl <duration>", "how long the ticket is good: 10m, 1h, 2d", duration)
    .addHelpText("after", "\nExample:\n  mfd invite --roles submit,store --ttl 10m")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/invite.ts")).inviteCommand(context, options),
      ),
    );
  program
    .command("revoke")
    .description("throw a peer out, for good")
    .argument("<peer>", "its name, its id or a unique part of it")
    .action((peer, options) =>
      choose(async (context) =>
        (await import("./commands/revoke.ts")).revokeCommand(context, peer, options),
      ),
    );
}

function addLife(program: Command, choose: (action: Action) => void): void {
  program
    .command("status")
    .description("what the daemon of this home is doing")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/status.ts")).statusCommand(context, options),
      ),
    );
  program
    .command("logs")
    .description("what the daemon logged, also after it has gone")
    .option("-f, --follow", "go on")
    .option("--tail <n>", "only the last lines", nonNegativeInteger)
    .action((options) =>
      choose(async (context) => (await import("./commands/logs.ts")).logsCommand(context, options)),
    );
  program
    .command("drain")
    .description("take no new work, hand runs over, wait for what runs")
    .action((options) =>
      choose(async (context) =>
        (await import("./commands/drain.ts")).drainCommand(context, options),
      ),
    );
  program
    .command("stop")
    .description("say goodbye and end; returns when the process has gone")
    .option("--timeout <duration>", "how long to wait", duration, 60_000)
    .action((options) =>
      choose(async (context) => (await import("./commands/stop.ts")).stopCommand(context, options)),
    );
}

function addCompletion(program: Command, choose: (action: Action) => void): void {
  program
    .command("completion")
    .description('print a completion script: eval "$(mfd completion bash)"')
    .argument("<shell>", "bash, zsh or fish")
    .action((shell, options) =>
      choose(async (context) =>
        (await import("../cli/commands/completion.ts")).completionCommand(
          context,
          shell,
          options,
          program,
        ),
      ),
    );
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function nonNegativeInteger(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 0.");
  return Number(text);
}

function duration(text: string): number {
  const ms = parseDurationText(text);
  if (ms === undefined) throw new InvalidArgumentError("Write it as 90s, 10m, 2h or 1d.");
  return ms;
}
