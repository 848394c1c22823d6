/** The daemon's Logger: JSON lines in home/logs/mfd.log and, where it runs in the foreground, readable lines on stderr. Bounded in time and size. */
import { join } from "node:path";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { LogFile, type LogFileOptions } from "./log-file.ts";
import { encodeLogLine, LOG_LEVELS, logEvent, type LogLevel, logText } from "./log-line.ts";
import { LOG_LINES_PER_SECOND_MAX } from "./observe-limits.ts";

export interface DaemonLoggerOptions extends LogFileOptions {
  readonly home: string;
  readonly clock: Clock;
  /** @default info */
  readonly level?: LogLevel;
  /** Where a person watches. */
  readonly echo?: (line: string) => void;
}

export interface DaemonLogger extends Logger {
  close(): void;
}

export function logPath(home: string): string {
  return join(home, "logs", "mfd.log");
}

export function createDaemonLogger(options: DaemonLoggerOptions): DaemonLogger {
  const log = new Log(options);
  const at =
    (level: LogLevel) =>
    (event: string, fields?: Record<string, unknown>): void =>
      log.write(level, event, fields);
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    close: () => log.close(),
  };
}

class Log {
  readonly #options: DaemonLoggerOptions;
  readonly #file: LogFile;
  readonly #lowest: number;
  #second = -1;
  #count = 0;
  #suppressedCount = 0;

  constructor(options: DaemonLoggerOptions) {
    this.#options = options;
    this.#file = new LogFile(logPath(options.home), options);
    this.#lowest = LOG_LEVELS.indexOf(options.level ?? "info");
  }

  write(level: LogLevel, event: string, fields?: Record<string, unknown>): void {
    if (LOG_LEVELS.indexOf(level) < this.#lowest) return;
    const second = Math.floor(this.#options.clock.monotonic() / 1000);
    if (second !== this.#second) this.#newSecond(second);
    this.#count += 1;
    if (this.#count > LOG_LINES_PER_SECOND_MAX) {
      this.#suppressedCount += 1;
      return;
    }
    this.#put(level, event, fields);
  }

  close(): void {
    this.#newSecond(-1);
    this.#file.close();
  }

  #newSecond(second: number): void {
    this.#second = second;
    this.#count = 0;
    const suppressed = this.#suppressedCount;
    this.#suppressedCount = 0;
    if (suppressed > 0) this.#put("warn", "log-suppressed", { lines: suppressed });
    const lost = this.#file.takeLostCount();
    if (lost > 0) this.#put("warn", "log-lost", { lines: lost });
  }

  #put(level: LogLevel, event: string, fields?: Record<string, unknown>): void {
    const logged = logEvent(this.#options.clock.now(), level, event, fields);
    this.#file.append(encodeLogLine(logged));
    this.#options.echo?.(logText(logged));
  }
}
