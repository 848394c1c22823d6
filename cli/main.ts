#!/usr/bin/env node
/** The `mf` program: parses, runs one command, turns its outcome into output and an exit code. Commands are loaded when they are used. */
import process from "node:process";
import { systemClock } from "../src/env/clock.ts";
import { systemRandom } from "../src/env/random.ts";
import type { CommandContext } from "./command-context.ts";
import { homeDirectory } from "../src/client/home-directory.ts";
import { detectTerminal, flushStreams } from "./output/terminal.ts";
import { runProgram } from "./program.ts";
import { asMfError, errorJson, errorText } from "./render-error.ts";
import { createStderrLogger } from "./stderr-logger.ts";

async function main(argv: readonly string[]): Promise<number> {
  const terminal = detectTerminal();
  // `mf ls | head` closes the pipe early; that is not an error.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0);
      throw error;
    });
  }
  const context: CommandContext = {
    terminal,
    home: homeDirectory(),
    clock: systemClock,
    random: systemRandom,
    logger: createStderrLogger(terminal),
  };
  try {
    return await runProgram(argv, context);
  } catch (error) {
    const mfError = asMfError(error);
    const isJson = argv.includes("--json");
    terminal.err(isJson ? errorJson(mfError) : errorText(mfError, terminal.colourErr));
    return mfError.exitCode;
  }
}

const exitCode = await main(process.argv.slice(2));
await flushStreams();
// Leaves at once: a reader's socket or an idle host must not keep a finished command alive.
process.exit(exitCode);
