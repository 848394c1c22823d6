/** One line about how far something is, on stderr: repainted on a terminal, from time to time elsewhere, and not at all for what is quick. */
import type { CommandContext } from "../command-context.ts";

const QUIET_MS = 1_000;
const LIVE_INTERVAL_MS = 200;
const PIPE_INTERVAL_MS = 5_000;

export interface Ticker {
  tell(text: string): void;
  end(): void;
}

export function ticker({ clock, terminal }: Pick<CommandContext, "clock" | "terminal">): Ticker {
  const intervalMs = terminal.isLive ? LIVE_INTERVAL_MS : PIPE_INTERVAL_MS;
  let nextAt = clock.monotonic() + QUIET_MS;
  let isLineOpen = false;
  return {
    tell(text) {
      const now = clock.monotonic();
      if (now < nextAt) return;
      nextAt = now + intervalMs;
      terminal.err(terminal.isLive ? `\r\u001B[K${text}` : `${text}\n`);
      isLineOpen = terminal.isLive;
    },
    end() {
      if (isLineOpen) terminal.err("\r\u001B[K");
      isLineOpen = false;
    },
  };
}
