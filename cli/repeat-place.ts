/**
 * Where a run is repeated: by the daemon of this home, or in this process where there is none. Both read records and begin runs the
 * same way, so `mf resume` and `mf rerun` are written once.
 */
import { connectDaemon } from "../src/client/control/control-client.ts";
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import { Records } from "../src/client/records.ts";
import type { Repeat } from "../src/client/repeat/repeat-request.ts";
import type { Cid } from "../src/model/ids.ts";
import { MfError } from "../src/model/errors.ts";
import type { SourceStore } from "../src/source/pin-sources.ts";
import { bringingSide } from "./bringing-side.ts";
import { writeJson, type CommandContext } from "./command-context.ts";
import { openRunSide, type RunSide } from "./compose.ts";
import { followHere } from "./follow-here.ts";
import { followRun } from "./follow-run.ts";
import type { Interrupt } from "./interrupt.ts";
import type { ReportOptions } from "./run-report.ts";
import { giveTags } from "./run-labels.ts";
import { daemonFiles } from "./source-values.ts";

export interface RepeatPlace {
  readonly records: Records;
  /** Other machines may run it: what is missing here may be there. */
  readonly isMesh: boolean;
  readonly files: SourceStore;
  /** Begins it and follows it to its end, or (detached) says which run it is. Gives the exit code. */
  run(repeat: Repeat, options: RepeatRunOptions): Promise<number>;
  close(): Promise<void>;
}

export interface RepeatRunOptions extends ReportOptions {
  readonly interrupt: Interrupt;
  readonly detach?: boolean;
  /** Given to the new run as it begins. */
  readonly tags: readonly string[];
}

export interface RepeatPlaceOptions {
  readonly detach?: boolean;
  readonly maxWorkers?: number;
}

/** @throws MfError DAEMON_MISSING where it is to be left to one, STORE_IN_USE */
export async function openRepeatPlace(
  context: CommandContext,
  { detach, maxWorkers }: RepeatPlaceOptions,
): Promise<RepeatPlace> {
  const connection = await connectDaemon(context.home, context.clock);
  if (connection !== undefined)
    return daemonPlace(context, connection.side, () => connection.close());
  if (detach === true) throw new MfError("DAEMON_MISSING", { home: context.home });
  return ownPlace(
    context,
    await openRunSide(context, maxWorkers === undefined ? {} : { maxWorkers }),
  );
}

function ownPlace(context: CommandContext, side: RunSide): RepeatPlace {
  return {
    records: new Records(side.readSide),
    isMesh: false,
    files: side.store,
    async run({ flowPackage, request }, options) {
      const handle = await side.engine.start(flowPackage, request);
      const { user } = request;
      const marked = giveTags(side.mark, handle.run, { tags: options.tags, user });
      // The run goes on beside it; a tag that could not be written is told at the end.
      marked.catch(() => undefined);
      const code = await followHere(context, handle, options);
      await marked;
      return code;
    },
    close: () => side.close(),
  };
}

function daemonPlace(context: CommandContext, side: DaemonSide, close: () => void): RepeatPlace {
  // A run outlives its submitter, so the files it is given anew are copied.
  const contents = new Set<Cid>();
  const files = daemonFiles(side);
  return {
    records: new Records(bringingSide(context, side)),
    isMesh: true,
    files: {
      ...files,
      async putFile(path) {
        const put = await files.putFile(path);
        contents.add(put.id);
        return put;
      },
    },
    run: (repeat, options) =>
      submitRepeat(context, side, { repeat, options, contents: [...contents] }),
    close: async () => close(),
  };
}

interface Submission {
  readonly repeat: Repeat;
  readonly options: RepeatRunOptions;
  readonly contents: readonly Cid[];
}

async function submitRepeat(
  context: CommandContext,
  side: DaemonSide,
  { repeat, options, contents }: Submission,
): Promise<number> {
  const { params, user, seed, versions, sources, origin, project, branch, ...runOptions } =
    repeat.request;
  const { run, owner, copies } = await side.submit({
    flowPackage: repeat.flowPackage,
    params: Object.fromEntries(
      Object.entries(params).map(([name, { data, text }]) => [name, { data, text }]),
    ),
    user,
    ...(seed === undefined ? {} : { seed }),
    ...(versions === undefined ? {} : { versions }),
    ...(sources === undefined ? {} : { sources }),
    ...(contents.length === 0 ? {} : { contents }),
    ...(origin === undefined ? {} : { origin }),
    ...(project === undefined ? {} : { project }),
    ...(branch === undefined ? {} : { branch }),
    ...(options.tags.length === 0 ? {} : { tags: options.tags }),
    options: runOptions,
  });
  if (options.detach === true) {
    if (options.json === true) writeJson(context, { run });
    else context.terminal.out(`${run}\n`);
    return 0;
  }
  if (options.quiet !== true && options.json !== true) {
    const kept = copies > 1 ? `kept by ${copies} peers` : "kept by one peer only";
    context.terminal.err(`run ${run}, owner ${owner}, ${kept}\n`);
  }
  return followRun(context, { ...options, side, run, onInterrupt: "detach" });
}
