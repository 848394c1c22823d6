/** What every command is given: where to write, which home, whether --json was asked for. */
import type { Clock } from "../src/env/clock.ts";
import type { Logger } from "../src/env/logger.ts";
import type { Random } from "../src/env/random.ts";
import type { Terminal } from "./output/terminal.ts";

export interface CommandContext {
  readonly terminal: Terminal;
  readonly home: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** What a command line chose: gives the exit code. */
export type Action = (context: CommandContext) => Promise<number>;

/** Every command takes --json. */
export interface CommonOptions {
  readonly json?: boolean;
}

export function writeJson(context: CommandContext, value: unknown): void {
  context.terminal.out(`${JSON.stringify(value)}\n`);
}
