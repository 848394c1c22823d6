/** `mfd start`: checks what was typed, then becomes the daemon (--foreground) or starts it as a process of its own and waits until it answers. */
import type { CommonOptions } from "../../cli/command-context.ts";
import { warnEqualNames } from "../../cli/equal-names.ts";
import { connectDaemon } from "../../src/client/control/control-client.ts";
import type { DaemonStatus } from "../../src/client/control/daemon-side.ts";
import { MfError } from "../../src/model/errors.ts";
import { makePrivateFolder } from "../../src/std/durable-file.ts";
import { parseTicket } from "../admission/ticket.ts";
import {
  type DaemonInput,
  type DaemonOptions,
  resolveDaemonOptions,
} from "../config/daemon-options.ts";
import { hostFacts } from "../config/host-facts.ts";
import { readRemembered } from "../config/remembered.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";
import { inputFromParent, tellParent } from "./parent-link.ts";
import { runDaemon } from "./run-daemon.ts";
import { spawnDaemon } from "./spawn-daemon.ts";

interface StartOptions extends CommonOptions, DaemonInput {
  readonly foreground?: boolean;
  readonly fromParent?: boolean;
}

export async function startCommand(context: DaemonContext, given: StartOptions): Promise<number> {
  if (given.fromParent === true) {
    const input = await inputFromParent();
    // Only now a daemon's own process: its parent has checked the same already.
    return runDaemon(context, checkedOptions(context, input), { report: tellParent });
  }
  const options = checkedOptions(context, given);
  await refuseSecond(context);
  if (given.foreground === true) {
    return runDaemon(context, options, {
      isEchoed: true,
      report: (report) => {
        if (report.t === "ready")
          context.terminal.err(`${readyText(report.status, context.home)}\n`);
      },
    });
  }
  const status = await spawnDaemon(context, given);
  const text = given.json === true ? JSON.stringify(status) : readyText(status, context.home);
  context.terminal.out(`${text}\n`);
  if (given.json !== true && status.peers > 1)
    warnEqualNames(context.terminal, await withDaemon(context, (side) => side.peers()));
  return 0;
}

/** @throws MfError USAGE, TICKET_INVALID, STORE_UNWRITABLE */
function checkedOptions(context: DaemonContext, input: DaemonInput): DaemonOptions {
  const { home } = context;
  const options = resolveDaemonOptions(input, {
    home,
    facts: hostFacts(home),
    remembered: readRemembered(home),
  });
  if (options.join !== undefined) parseTicket(options.join);
  try {
    makePrivateFolder(home);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MfError("STORE_UNWRITABLE", { home, reason });
  }
  return options;
}

/** @throws MfError DAEMON_RUNNING */
async function refuseSecond(context: DaemonContext): Promise<void> {
  const { home, clock } = context;
  const connection = await connectDaemon(home, clock);
  if (connection === undefined) return;
  try {
    const { pid } = await connection.side.daemonStatus();
    throw new MfError("DAEMON_RUNNING", { home, pid });
  } finally {
    connection.close();
  }
}

function readyText(status: DaemonStatus, home: string): string {
  const { name, id, listen, peers } = status;
  const where = listen.length === 0 ? "" : ` listens on ${listen.join(", ")};`;
  const count = peers === 1 ? "1 peer" : `${peers} peers`;
  return `mfd ${name} (…${id.slice(-8)})${where} ${count}; home ${home}`;
}
