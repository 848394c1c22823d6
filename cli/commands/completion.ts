/** `mf completion`, `mfd completion`: a script for bash, zsh or fish, made from the commands themselves; what they are about is asked for. */
import type { Command } from "commander";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";

interface Asked {
  readonly names: string;
  readonly ask: string;
}

/** A program's commands whose argument a shell can ask for, and how. */
const ARGUMENTS: Readonly<Record<string, readonly Asked[]>> = {
  mf: [
    {
      names:
        "status|logs|get|show|watch|cancel|resume|rerun|diff|why|verify|export|rm|tag|note|pin",
      ask: `mf ls -q 2>/dev/null | awk -F/ '{ print; print $1 "/latest" }'`,
    },
    { names: "ls|ls-versions", ask: "mf ls -q 2>/dev/null | cut -d / -f 1" },
  ],
  mfd: [{ names: "revoke", ask: "mf peers 2>/dev/null | tail -n +2 | cut -f 1" }],
};

/** Options whose value a shell can ask for; those with a choice say it themselves. */
const VALUES: Readonly<Record<string, readonly Asked[]>> = {
  mf: [
    { names: "--tag|--replace", ask: "mf tag 2>/dev/null | tail -n +2 | cut -f 1" },
    { names: "--flow", ask: "mf ls -q 2>/dev/null | cut -d / -f 1" },
  ],
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

/** What may follow an option: a command, the option as it is typed, and the shell's words for it. */
interface OptionValue {
  readonly command: string;
  readonly option: Command["options"][number];
  readonly words?: readonly string[];
  readonly ask?: string;
}

function optionValues(program: Command): OptionValue[] {
  const asked = VALUES[program.name()] ?? [];
  return program.commands.flatMap((command) =>
    shownOptions(command).flatMap((option): OptionValue[] => {
      const at = { command: command.name(), option };
      if (option.argChoices !== undefined) return [{ ...at, words: option.argChoices }];
      const ask = asked.find(({ names }) => names.split("|").includes(option.long ?? ""))?.ask;
      return ask === undefined || option.isBoolean() ? [] : [{ ...at, ask }];
    }),
  );
}

function bashValue({ command, option, words = [], ask }: OptionValue): string {
  const patterns = [option.long, option.short].flatMap((flag) =>
    flag === undefined ? [] : `"${command} ${flag}"`,
  );
  const value = ask === undefined ? words.join(" ") : `$(${ask})`;
  return `    ${patterns.join("|")}) words="${value}" ;;`;
}

function bashScript(program: Command): string {
  const name = program.name();
  const cases = program.commands
    .map((command) => `      ${command.name()}) words="${longOptions(command)}" ;;`)
    .join("\n");
  const argumentCases = (ARGUMENTS[name] ?? [])
    .map(({ names, ask }) => `      ${names}) words="$(${ask})" ;;`)
    .join("\n");
  const values = optionValues(program).map(bashValue);
  const valueCases =
    values.length === 0
      ? ""
      : `  case "$command \${COMP_WORDS[COMP_CWORD-1]}" in\n${values.join("\n")}\n  esac\n`;
  return `_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" command="\${COMP_WORDS[1]}" words=""
${valueCases}  if [ -n "$words" ]; then
    :
  elif [ "$COMP_CWORD" -eq 1 ]; then
    words="${program.commands.map((command) => command.name()).join(" ")}"
  elif [[ "$current" == -* ]]; then
    case "$command" in
${cases}
    esac
  else
    case "$command" in
${argumentCases}
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
  for (const { names, ask } of ARGUMENTS[name] ?? [])
    lines.push(
      `complete -c ${name} -n '__fish_seen_subcommand_from ${names.replaceAll("|", " ")}' -a ${quote(`(${ask})`)}`,
    );
  for (const { command, option, words = [], ask } of optionValues(program))
    lines.push(
      `complete -c ${name} -n '__fish_seen_subcommand_from ${command}' -l ${option.long?.slice(2)} -x -a ${quote(ask === undefined ? words.join(" ") : `(${ask})`)}`,
    );
  return `${lines.join("\n")}\n`;
}
