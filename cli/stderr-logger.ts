/** Warnings and errors of the parts as one line each on stderr; `MF_DEBUG=1` shows everything. */
import process from "node:process";
import type { Logger } from "../src/env/logger.ts";
import type { Terminal } from "./output/terminal.ts";

export function createStderrLogger(terminal: Terminal): Logger {
  const isDebug = process.env["MF_DEBUG"] === "1";
  const write =
    (level: string, isShown: boolean) =>
    (event: string, fields: Record<string, unknown> = {}): void => {
      if (!isShown) return;
      const texts = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`);
      terminal.err(`mf: ${level} ${event}${texts.length === 0 ? "" : ` ${texts.join(" ")}`}\n`);
    };
  return {
    debug: write("debug", isDebug),
    info: write("info", isDebug),
    warn: write("warning", isDebug),
    error: write("error", true),
  };
}

function fieldText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.message;
  return JSON.stringify(value) ?? "undefined";
}
