/** Reads the sources of a flow for a run that is about to begin, and says so on stderr where it takes a while. */
import { join } from "node:path";
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import type { LoadedFlow } from "../src/code/load-flow.ts";
import { pinSources, type PinnedSources, type SourceStore } from "../src/source/pin-sources.ts";
import type { CommandContext } from "./command-context.ts";
import type { Interrupt } from "./interrupt.ts";
import { bytesText, countText, durationText } from "./output/format.ts";
import { putThere } from "./submit-flow.ts";

/** Small files are stored before anybody could read a line about them. */
const QUIET_MS = 1_000;
const TELL_INTERVAL_MS = 500;
/** In a log. */
const LOG_INTERVAL_MS = 5_000;
const CACHE_NAME = "source-files.json";

export interface SourceReading {
  readonly store: SourceStore;
  readonly interrupt: Interrupt;
  /** Nothing on stderr but an error. */
  readonly isQuiet: boolean;
}

/** @throws MfError SOURCE_INVALID, SOURCE_CHANGED, INTERRUPTED */
export async function readSources(
  context: CommandContext,
  { package: { graph, file } }: LoadedFlow,
  { store, interrupt, isQuiet }: SourceReading,
): Promise<PinnedSources> {
  const { clock, terminal, home } = context;
  const stop = new AbortController();
  interrupt.onAsked(() => stop.abort());
  const startedAt = clock.monotonic();
  let told: string | undefined;
  let latest = "";
  const write = (): void => {
    told = latest;
    const text = `storing ${latest}, ${durationText(clock.monotonic() - startedAt)}`;
    terminal.err(terminal.isLive ? `\r\u001B[K${text}` : `${text}\n`);
  };
  let cancel = (): void => undefined;
  const tick = (): void => {
    // In a log a line that says nothing new is noise; on a terminal the time that passes is news.
    if (latest !== "" && (terminal.isLive || latest !== told)) write();
    cancel = clock.after(terminal.isLive ? TELL_INTERVAL_MS : LOG_INTERVAL_MS, tick);
  };
  if (!isQuiet) cancel = clock.after(QUIET_MS, tick);
  try {
    return await pinSources(graph, {
      flowFile: file,
      store,
      cacheFile: join(home, "cache", CACHE_NAME),
      now: () => clock.now(),
      signal: stop.signal,
      onProgress({ source, files, filesTotal, bytes, bytesTotal }) {
        const of = filesTotal === 1 ? "" : `${files} of ${countText(filesTotal, "file")}, `;
        latest = `${source}: ${of}${bytesText(bytes)} of ${bytesText(bytesTotal)}`;
      },
    });
  } finally {
    cancel();
    if (told !== undefined && terminal.isLive) terminal.err("\r\u001B[K");
  }
}

/** What a daemon stores of this machine's files. */
export function daemonFiles(side: DaemonSide): SourceStore {
  return {
    putFile: (path) => putThere(side, path),
    has: async (ids) => (await side.locate(ids)).map((location) => location !== undefined),
  };
}
