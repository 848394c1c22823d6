/** What `resume` and `rerun` have in common: their options, and the place they run in. */
import type { RunOptions } from "../src/model/journal.ts";
import type { CommandContext, CommonOptions } from "./command-context.ts";
import { listenForInterrupt, type Interrupt } from "./interrupt.ts";
import { openRepeatPlace, type RepeatPlace } from "./repeat-place.ts";

export interface RepeatSettings extends CommonOptions {
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
