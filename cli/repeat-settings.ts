/** What `resume` and `rerun` have in common: their options, and the place they run in. */
import type { Origin } from "../src/client/repeat/origin.ts";
import { withVersions } from "../src/client/repeat/python-versions.ts";
import type { Repeat } from "../src/client/repeat/repeat-request.ts";
import { isMfError } from "../src/model/errors.ts";
import { runText } from "../src/model/ids.ts";
import type { RunOptions } from "../src/model/journal.ts";
import type { CommandContext, CommonOptions } from "./command-context.ts";
import { listenForInterrupt, type Interrupt } from "./interrupt.ts";
import { readRepeatLabels, type RunLabelOptions } from "./run-labels.ts";
import { openRepeatPlace, type RepeatPlace, type RepeatRunOptions } from "./repeat-place.ts";

export interface RepeatSettings extends CommonOptions, RunLabelOptions {
  readonly detach?: boolean;
  readonly quiet?: boolean;
  readonly on?: readonly string[];
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
}

export function limitsOf({
  on,
  maxTasks,
  maxWorkers,
}: RepeatSettings): Pick<RunOptions, "maxTasks" | "maxWorkers" | "labels"> {
  return {
    ...(on === undefined ? {} : { labels: on }),
    ...(maxTasks === undefined ? {} : { maxTasks }),
    ...(maxWorkers === undefined ? {} : { maxWorkers }),
  };
}

export interface RepeatLabels {
  readonly tags: readonly string[];
  /** Instead of the origin's. */
  readonly belongsTo: { readonly project?: string; readonly branch?: string };
}

/** @throws MfError USAGE */
export function labelsOf(
  settings: RepeatSettings,
  { started }: Pick<Origin, "started">,
  command: "resume" | "rerun",
): RepeatLabels {
  const { tags, ...belongsTo } = readRepeatLabels(settings, { command, project: started.project });
  return { tags, belongsTo };
}

/** Which run it is that was meant by `latest` or by the beginning of an id. */
export function tellOrigin(
  { terminal }: CommandContext,
  { summary }: Origin,
  { json, quiet, detach }: RepeatSettings,
): void {
  if (json === true || quiet === true || detach === true) return;
  terminal.err(`from ${runText(summary.run)} (${summary.state})\n`);
}

/** Begins what is repeated. Python packages that are missing are named in the versions that the origin had. */
export async function runRepeat(
  place: RepeatPlace,
  { origin, repeat }: { readonly origin: Origin; readonly repeat: Repeat },
  options: RepeatRunOptions,
): Promise<number> {
  try {
    return await place.run(repeat, options);
  } catch (error) {
    if (!isMfError(error, "PYTHON_PACKAGE_MISSING")) throw error;
    throw await withVersions(error, place.records, origin);
  }
}

export async function withRepeatPlace(
  context: CommandContext,
  settings: RepeatSettings,
  use: (place: RepeatPlace, interrupt: Interrupt) => Promise<number>,
): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    const place = await openRepeatPlace(context, settings);
    try {
      return await use(place, interrupt);
    } finally {
      await place.close();
    }
  } finally {
    interrupt.stop();
  }
}
