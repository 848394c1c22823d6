/** What every command of mfd is given. */
import type { CommandContext } from "../cli/command-context.ts";
import { connectDaemon } from "../src/client/control/control-client.ts";
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import { MfError } from "../src/model/errors.ts";

export interface DaemonContext extends CommandContext {
  readonly version: string;
  /** The program's file, to start another process of it. */
  readonly mainFile: string;
  /** Ends the process at once: for crashes and for people who insist. */
  exit(code: number): void;
}

/** @throws MfError DAEMON_MISSING, and what the daemon answers */
export async function withDaemon<T>(
  context: DaemonContext,
  ask: (side: DaemonSide) => Promise<T>,
): Promise<T> {
  const connection = await connectDaemon(context.home, context.clock);
  if (connection === undefined) throw new MfError("DAEMON_MISSING", { home: context.home });
  try {
    return await ask(connection.side);
  } finally {
    connection.close();
  }
}
