/** What a run is given to be found by: tags, and the project and branch that it belongs to. Of `mf run` and `mf submit`, and of what repeats a run. */
import { Option, type Command } from "commander";
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import { MfError } from "../src/model/errors.ts";
import { runText, type RunRef } from "../src/model/ids.ts";
import { TAGS_MAX } from "../src/model/mark.ts";
import { checkGivenTag } from "../src/model/run-tags.ts";
import { collect } from "./option-values.ts";
import { userName } from "../src/client/user-name.ts";

export interface RunLabelOptions {
  readonly tag?: readonly string[];
  readonly project?: string;
  readonly branch?: string;
  readonly production?: boolean;
}

export interface RunLabels {
  readonly tags: readonly string[];
  readonly project?: string;
  readonly branch?: string;
}

export const PRODUCTION_BRANCH = "prod";

const TAG_OPTION = ["-t, --tag <tag>", "give the run a tag (may be repeated)"] as const;

export function addLabelOptions(command: Command): Command {
  return command
    .option(...TAG_OPTION, collect)
    .addOption(new Option("--project <name>", "the project it belongs to").env("MF_PROJECT"))
    .option("--branch <name>", "branch of the project (default: MF_BRANCH, user.YOU)")
    .option("--production", `branch ${PRODUCTION_BRANCH} of the project`);
}

/** Of a run that repeats another: what is not typed is as it was there, whatever MF_PROJECT says. */
export function addRepeatLabelOptions(command: Command): Command {
  return command
    .option(...TAG_OPTION, collect)
    .option("--project <name>", "another project than the run's")
    .option("--branch <name>", "another branch than the run's")
    .option("--production", `branch ${PRODUCTION_BRANCH} of the project`);
}

/** What was typed wrong, told before anything is loaded. @throws MfError TAG_INVALID, TAG_RESERVED, USAGE */
export function checkRunLabels(
  { tag = [], branch, production = false }: RunLabelOptions,
  command: string,
): void {
  const usage = (message: string): MfError => new MfError("USAGE", { message, command });
  for (const each of tag) checkGivenTag(each);
  if (new Set(tag).size > TAGS_MAX) throw usage(`A run has at most ${TAGS_MAX} tags.`);
  if (branch !== undefined && production) throw usage("--production is a branch: leave --branch.");
  userName();
}

export interface RunPlace {
  readonly command: string;
  /** What the flow itself says. */
  readonly project?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** @throws MfError USAGE */
export function readRunLabels(
  { tag = [], branch, production = false, ...options }: RunLabelOptions,
  { command, project: ofFlow, env = process.env }: RunPlace,
): RunLabels {
  const usage = (message: string): MfError => new MfError("USAGE", { message, command });
  const tags = [...new Set(tag)];
  const isGiven = options.project !== undefined && options.project !== "";
  const project = isGiven ? options.project : ofFlow;
  if (project === undefined || project === "") {
    if (branch !== undefined || production)
      throw usage(
        `${production ? "--production" : "--branch"} needs the project: --project NAME, or MF_PROJECT.`,
      );
    return { tags };
  }
  const ofEnv = env["MF_BRANCH"];
  const usual = ofEnv === undefined || ofEnv === "" ? `user.${userName(env)}` : ofEnv;
  const given = branch ?? usual;
  return {
    tags,
    project: checkedName(project, "a project", usage),
    branch: production ? PRODUCTION_BRANCH : checkedName(given, "a branch", usage),
  };
}

/** Of a run that repeats one of `project`. Only tags, where nothing else was typed. @throws MfError USAGE */
export function readRepeatLabels(options: RunLabelOptions, place: RunPlace): RunLabels {
  const { tag = [], project, branch, production } = options;
  const isTyped = project !== undefined || branch !== undefined || production === true;
  return isTyped ? readRunLabels(options, place) : { tags: [...new Set(tag)] };
}

const NAME_CHARS_MAX = 128;

function checkedName(name: string, what: string, usage: (message: string) => MfError): string {
  if (name === "" || name.length > NAME_CHARS_MAX || /[\s@!]|\p{Cc}|\p{Cs}/u.test(name))
    throw usage(
      `"${name}" does not name ${what}: a word of at most ${NAME_CHARS_MAX} characters, without @ and !.`,
    );
  return name;
}

/** To a run that has begun. */
export async function giveTags(
  mark: DaemonSide["mark"],
  run: RunRef,
  { tags, user }: { readonly tags: readonly string[]; readonly user: string },
): Promise<void> {
  if (tags.length === 0) return;
  const on = runText(run);
  await mark(tags.map((name) => ({ kind: "tag", on, name, value: "", user })));
}
