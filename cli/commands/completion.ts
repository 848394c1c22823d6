/** `mf completion`, `mfd completion`: a script for bash, zsh or fish, made from the commands themselves; what they are about is asked for. */
import type { Command } from "commander";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";

/** A program's commands whose argument a shell can ask for, and how. */
const ARGUMENTS: Readonly<Record<string, { readonly commands: string; readonly ask: string }>> = {
  mf: { commands: "status|logs|get|show|watch|cancel|resume|rerun", ask: "mf ls -q 2>/dev/null" },
  mfd: { commands: "revoke", ask: "mf peers 2>/dev/null | tail -n +2 | cut -f 1" },
};

export async function completionCommand(
  context: CommandContext,
  shell: string,
  options: CommonOptions,
  program: Command,
): Promise<number> {
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  if (write === undefined) {
    throw new MfError("USAGE", {
      message: `There is no completion for "${shell}": bash, zsh or fish.`,
      command: "completion",
    });
  }
  const script = write(program);
  if (options.json === true) writeJson(context, { shell, script });
  else context.terminal.out(script);
  return 0;
}

function longOptions(command: Command): string {
  return shownOptions(command)
    .map((option) => option.long ?? option.short ?? "")
    .join(" ");
}

function shownOptions(command: Command): Command["options"] {
  return command.options.filter((option) => !option.hidden);
}

function bashScript(program: Command): string {
  const name = program.name();
  const cases = program.commands
    .map((command) => `      ${command.name()}) words="${longOptions(command)}" ;;`)
    .join("\n");
  const argument = ARGUMENTS[name];
  const argumentCase =
    argument === undefined ? "" : `      ${argument.commands}) words="$(${argument.ask})" ;;`;
  return `_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${program.commands.map((command) => command.name()).join(" ")}"
  elif [[ "$current" == -* ]]; then
    case "$command" in
${cases}
    esac
  else
    case "$command" in
${argumentCase}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

function zshScript(program: Command): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(program)}`;
}

function fishScript(program: Command): string {
  const name = program.name();
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = program.commands.flatMap((command) => [
    `complete -c ${name} -n __fish_use_subcommand -f -a ${command.name()} -d ${quote(command.description())}`,
    ...shownOptions(command)
      .filter((option) => option.long !== undefined)
      .map(
        (option) =>
          `complete -c ${name} -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.long?.slice(2)} -d ${quote(option.description)}`,
      ),
  ]);
  const argument = ARGUMENTS[name];
  if (argument !== undefined)
    lines.push(
      `complete -c ${name} -n '__fish_seen_subcommand_from ${argument.commands.replaceAll("|", " ")}' -a '(${argument.ask})'`,
    );
  return `${lines.join("\n")}\n`;
}
