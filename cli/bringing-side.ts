/** The ReadSide of a daemon for commands that read contents: what is not here is brought from other peers before it is located. */
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import type { ReadSide } from "../src/client/control/read-side.ts";
import { isMfError } from "../src/model/errors.ts";
import type { Cid } from "../src/model/ids.ts";
import type { CommandContext } from "./command-context.ts";
import { listenForInterrupt } from "./interrupt.ts";
import { bytesText, durationText } from "./output/format.ts";

/** Small things come before anybody could read a line about them. */
const QUIET_MS = 1_000;
const TELL_INTERVAL_MS = 500;

export function bringingSide(context: CommandContext, daemon: DaemonSide): ReadSide {
  return {
    ...daemon,
    async locate(ids) {
      const found = await daemon.locate(ids);
      const missing = ids.filter((_, at) => found[at] === undefined);
      if (missing.length === 0) return found;
      try {
        await bring(context, daemon, missing);
      } catch (error) {
        // The others are here now; whoever reads this one is told.
        if (!isMfError(error, "CONTENT_MISSING")) throw error;
      }
      return daemon.locate(ids);
    },
  };
}

async function bring(
  context: CommandContext,
  daemon: DaemonSide,
  ids: readonly Cid[],
): Promise<void> {
  const { clock, terminal } = context;
  const interrupt = listenForInterrupt();
  const stop = new AbortController();
  interrupt.onAsked(() => stop.abort());
  const startedAt = clock.monotonic();
  let toldAt = startedAt + QUIET_MS - TELL_INTERVAL_MS;
  let isLineOpen = false;
  const tell = ({ bytes, total }: { readonly bytes: number; readonly total: number }): void => {
    const now = clock.monotonic();
    if (now - toldAt < TELL_INTERVAL_MS) return;
    toldAt = now;
    const rate = bytes / Math.max(1, (now - startedAt) / 1000);
    const text = `fetching ${bytesText(bytes)} of ${bytesText(total)}, ${bytesText(rate)}/s, ${durationText(now - startedAt)}`;
    terminal.err(terminal.isLive ? `\r\u001B[K${text}` : `${text}\n`);
    isLineOpen = terminal.isLive;
  };
  try {
    await daemon.bring(ids, tell, stop.signal);
  } finally {
    if (isLineOpen) terminal.err("\r\u001B[K");
    interrupt.stop();
  }
}
