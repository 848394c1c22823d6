#!/usr/bin/env node
/** The `mfd` program: parses, runs one command, turns its outcome into output and an exit code. Only this file ends the process. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { homeDirectory } from "../src/client/home-directory.ts";
import { detectTerminal, flushStreams } from "../cli/output/terminal.ts";
import { packageVersion } from "../cli/package-root.ts";
import { asMfError, errorJson, errorText } from "../cli/render-error.ts";
import { createStderrLogger } from "../cli/stderr-logger.ts";
import { systemClock } from "../src/env/clock.ts";
import { systemRandom } from "../src/env/random.ts";
import type { MfError } from "../src/model/errors.ts";
import type { DaemonContext } from "./daemon-context.ts";
import { runDaemonProgram } from "./program.ts";

async function main(argv: readonly string[]): Promise<number> {
  const terminal = detectTerminal();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      // `mfd logs | head` closes the pipe early; that is no error. A daemon goes on when nobody watches any more.
      if (!argv.includes("--foreground")) process.exit(0);
    });
  }
  const context: DaemonContext = {
    terminal,
    home: homeDirectory(),
    clock: systemClock,
    random: systemRandom,
    logger: createStderrLogger(terminal),
    version: packageVersion(),
    mainFile: fileURLToPath(import.meta.url),
    exit: (code) => process.exit(code),
  };
  try {
    return await runDaemonProgram(argv, context);
  } catch (error) {
    const mfError = ofThisProgram(asMfError(error));
    const isJson = argv.includes("--json");
    terminal.err(isJson ? errorJson(mfError) : errorText(mfError, terminal.colourErr));
    return mfError.exitCode;
  }
}

/** The table's remedy of a usage error names `mf`. */
function ofThisProgram(error: MfError): MfError {
  if (error.code !== "USAGE") return error;
  return Object.assign(error, { remedy: error.remedy.replace(/`mf +/, "`mfd ") });
}

const exitCode = await main(process.argv.slice(2));
await flushStreams();
// Leaves at once: an idle socket or host must not keep a finished command alive.
process.exit(exitCode);
