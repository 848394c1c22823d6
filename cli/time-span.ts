/** Times as people type them for filters: `90s`, `2h`, `7d` ago, or `2026-11-23`, `2026-11-23T14:30`, with `Z` in UTC. */
import { MfError } from "../src/model/errors.ts";
import { readRunAddress } from "../src/model/run-address.ts";
import { parseDurationText } from "./output/format.ts";

export interface TimeSpan {
  readonly from: number;
  readonly until: number;
}

/** A day is all of it: `--since` takes the beginning, `--until` the end. @throws MfError USAGE */
export function readTimeSpan(
  option: string,
  text: string,
  { now, command }: { readonly now: number; readonly command: string },
): TimeSpan {
  const ms = parseDurationText(text);
  if (ms !== undefined) return { from: now - ms, until: now - ms };
  const time = /^\d/.test(text) ? readRunAddress(text) : undefined;
  if (typeof time === "object" && time.k === "time") return time;
  throw new MfError("USAGE", {
    message: `${option} takes a duration (90s, 2h, 7d) or a time (2026-11-23, 2026-11-23T14:30), not "${text}".`,
    command,
  });
}
