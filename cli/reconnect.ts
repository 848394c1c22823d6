/** What follows something for long outlives its daemon: one that is restarted is back within RECONNECT_MS_MAX. */
import { connectDaemon, type DaemonConnection } from "../src/client/control/control-client.ts";
import { delay } from "../src/env/clock.ts";
import type { CommandContext } from "./command-context.ts";

const RECONNECT_MS_MAX = 30_000;
const RECONNECT_MS = 500;

/** Undefined where it did not come back in time, or the signal aborted. */
export async function daemonAgain(
  { clock, home }: Pick<CommandContext, "clock" | "home">,
  signal: AbortSignal,
): Promise<DaemonConnection | undefined> {
  const deadline = clock.monotonic() + RECONNECT_MS_MAX;
  while (clock.monotonic() < deadline && !signal.aborted) {
    const connection = await connectDaemon(home, clock);
    if (connection !== undefined) return connection;
    await delay(clock, RECONNECT_MS, signal);
  }
  return undefined;
}
