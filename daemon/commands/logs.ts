/** `mfd logs`: the daemon's log, readable, or with --json as it is. Read from its files, so it works when the daemon does not. */
import { existsSync } from "node:fs";
import process from "node:process";
import type { CommonOptions } from "../../cli/command-context.ts";
import { createPaint } from "../../cli/output/paint.ts";
import { MfError } from "../../src/model/errors.ts";
import type { DaemonContext } from "../daemon-context.ts";
import { logPath } from "../observe/daemon-logger.ts";
import { decodeLogLine, logText } from "../observe/log-line.ts";
import { followLines, tailLines } from "../observe/log-reader.ts";
import { LOG_TAIL_DEFAULT } from "../observe/observe-limits.ts";

interface LogsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly tail?: number;
}

export async function logsCommand(context: DaemonContext, options: LogsOptions): Promise<number> {
  const { terminal, home, clock } = context;
  const path = logPath(home);
  if (!existsSync(path) && options.follow !== true) throw new MfError("DAEMON_MISSING", { home });
  const paint = createPaint(terminal.colourOut);
  const show = (lines: readonly string[]): void => {
    for (const line of lines) {
      const logged = decodeLogLine(line);
      if (options.json === true) terminal.out(`${line}\n`);
      else if (logged !== undefined) {
        const text = logText(logged);
        const isBad = logged.level === "error" || logged.level === "warn";
        terminal.out(`${isBad ? paint.yellow(text) : text}\n`);
      }
    }
  };
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  show(tailLines(path, options.tail ?? LOG_TAIL_DEFAULT));
  if (options.follow !== true) return 0;
  process.once("SIGINT", onSignal);
  await followLines(path, show, { clock, signal: stop.signal });
  process.off("SIGINT", onSignal);
  return 0;
}
