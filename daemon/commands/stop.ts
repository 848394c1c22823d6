/** `mfd stop`: asks the daemon to end and returns when its process has gone. JSON: {"stopped": pid}. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { type CommonOptions, writeJson } from "../../cli/command-context.ts";
import { delay } from "../../src/env/clock.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";

/** Between two looks whether it has gone, ms. */
const LOOK_MS = 50;

interface StopOptions extends CommonOptions {
  readonly timeout: number;
}

export async function stopCommand(context: DaemonContext, options: StopOptions): Promise<number> {
  const { clock, terminal } = context;
  const deadline = clock.monotonic() + options.timeout;
  const { pid, name } = await withDaemon(context, async (side) => {
    const status = await side.daemonStatus();
    await side.stop().catch((error: unknown) => {
      // It may be gone before its answer is.
      if (!isMfError(error, "CONTROL_LOST")) throw error;
    });
    return status;
  });
  while (isAlive(pid)) {
    if (clock.monotonic() > deadline) {
      const what = "to stop by ending";
      throw new MfError("PEER_TIMEOUT", {
        peer: `${name} (process ${pid})`,
        what,
        ms: options.timeout,
      });
    }
    await delay(clock, LOOK_MS);
  }
  if (options.json === true) writeJson(context, { stopped: pid });
  else terminal.out(`mfd ${name} has stopped\n`);
  return 0;
}

/** A process that has ended and that nobody waited for is gone for us (containers often have no init that does). */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch (error) {
    // No /proc on this system, or it has gone since.
    return (error as NodeJS.ErrnoException).code === "ENOENT" && process.platform !== "linux";
  }
}
