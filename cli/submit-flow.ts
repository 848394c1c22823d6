/** Hands a loaded flow to the daemon: files first, then the package with its parameters. */
import { access, constants, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { DaemonSide, SubmitAnswer } from "../src/client/control/daemon-side.ts";
import { Records } from "../src/client/records.ts";
import { resolveVersions } from "../src/client/resolve-versions.ts";
import type { LoadedFlow } from "../src/code/load-flow.ts";
import type { Cid } from "../src/model/ids.ts";
import type { RunOptions } from "../src/model/journal.ts";
import type { PinnedSources } from "../src/source/pin-sources.ts";
import type { CommandContext } from "./command-context.ts";
import { encodeParams } from "./param-values.ts";
import { readRunLabels, type RunLabelOptions } from "./run-labels.ts";
import { userName } from "../src/client/user-name.ts";

/** Files of one run that are copied to another peer as it begins; of more, each is copied where it is read. */
const COPIED_FILES_MAX = 10_000;

export interface SubmitSettings extends RunLabelOptions {
  readonly cache: boolean;
  readonly seed?: string;
  readonly maxTasks?: number;
  readonly maxWorkers?: number;
  readonly on?: readonly string[];
  /** The flow's sources as they are now. */
  readonly sources?: PinnedSources;
  readonly rerun?: readonly string[];
}

/** The daemon's step hosts start while the flow is loaded here. One that cannot is no reason not to submit. */
export function announceSubmission({ logger }: CommandContext, side: DaemonSide): void {
  side.prepare().catch((error: unknown) => logger.debug("submit.unprepared", { error }));
}

export async function submitFlow(
  side: DaemonSide,
  loaded: LoadedFlow,
  settings: SubmitSettings,
): Promise<SubmitAnswer> {
  const flowPackage = loaded.package;
  const { sources = { values: {}, contents: [] } } = settings;
  const contents = new Set<Cid>(sources.contents);
  const putFile = async (path: string): Promise<{ id: Cid; bytes: number }> => {
    const put = await putThere(side, path);
    contents.add(put.id);
    return put;
  };
  const encoded = await encodeParams({ putFile }, loaded.params, flowPackage.graph.name);
  const { seed, maxTasks, maxWorkers, on = [], rerun = [] } = settings;
  const labels = readRunLabels(settings, {
    command: "submit",
    project: flowPackage.graph.project,
  });
  const options: RunOptions = {
    noCache: !settings.cache,
    ...(maxTasks === undefined ? {} : { maxTasks }),
    ...(maxWorkers === undefined ? {} : { maxWorkers }),
    ...(on.length === 0 ? {} : { labels: on }),
    ...(rerun.length === 0 ? {} : { rerun }),
  };
  const versions = await resolveVersions(new Records(side), flowPackage.graph);
  return side.submit({
    flowPackage,
    ...(Object.keys(versions).length === 0 ? {} : { versions }),
    params: Object.fromEntries(
      Object.entries(encoded).map(([name, { data, text }]) => [name, { data, text }]),
    ),
    ...(sources.contents.length === 0 ? {} : { sources: sources.values }),
    ...(contents.size === 0 ? {} : { contents: [...contents].slice(0, COPIED_FILES_MAX) }),
    user: userName(),
    ...(seed === undefined ? {} : { seed }),
    options,
    ...labels,
  });
}

/** Looked at here first: what is wrong with a file is told with the system's own code, which does not cross the socket. */
export async function putThere(
  side: DaemonSide,
  path: string,
): Promise<{ id: Cid; bytes: number }> {
  const file = resolve(path);
  await access(file, constants.R_OK);
  if ((await stat(file)).isDirectory())
    throw Object.assign(new Error(`${file} is a directory`), { code: "EISDIR" });
  return side.putFile(file);
}
