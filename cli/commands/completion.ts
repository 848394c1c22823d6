/** `mf completion`: a script for bash, zsh or fish, made from the commands themselves; runs are completed by `mf ls -q`. */
import type { Command } from "commander";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";

const RUN_COMMANDS = "status|logs|get|show|watch|cancel";

export async function completionCommand(
  context: CommandContext,
  shell: string,
  options: CommonOptions,
  commands: readonly Command[],
): Promise<number> {
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  if (write === undefined) {
    throw new MfError("USAGE", {
      message: `There is no completion for "${shell}": bash, zsh or fish.`,
      command: "completion",
    });
  }
  const script = write(commands);
  if (options.json === true) writeJson(context, { shell, script });
  else context.terminal.out(script);
  return 0;
}

function longOptions(command: Command): string {
  return command.options.map((option) => option.long ?? option.short ?? "").join(" ");
}

function bashScript(commands: readonly Command[]): string {
  const cases = commands
    .map((command) => `      ${command.name()}) words="${longOptions(command)}" ;;`)
    .join("\n");
  return `_mf() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map((command) => command.name()).join(" ")}"
  elif [[ "$current" == -* ]]; then
    case "$command" in
${cases}
    esac
  else
    case "$command" in
      ${RUN_COMMANDS}) words="$(mf ls -q 2>/dev/null)" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _mf mf
`;
}

function zshScript(commands: readonly Command[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(commands)}`;
}

function fishScript(commands: readonly Command[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap((command) => [
    `complete -c mf -n __fish_use_subcommand -f -a ${command.name()} -d ${quote(command.description())}`,
    ...command.options
      .filter((option) => option.long !== undefined)
      .map(
        (option) =>
          `complete -c mf -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.long?.slice(2)} -d ${quote(option.description)}`,
      ),
  ]);
  const runs = `complete -c mf -n '__fish_seen_subcommand_from ${RUN_COMMANDS.replaceAll("|", " ")}' -a '(mf ls -q 2>/dev/null)'`;
  return `${lines.join("\n")}\n${runs}\n`;
}
