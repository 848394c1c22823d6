/** Where what a run's steps print is kept: one NDJSON file a step. */
import { join } from "node:path";
import type { RunRef } from "../../model/ids.ts";

export function logDirectoryOf(home: string, run: RunRef): string {
  return join(home, "logs", encodeURIComponent(run.flow), run.id);
}

export function logFileOf(home: string, run: RunRef, step: string): string {
  return join(logDirectoryOf(home, run), `${encodeURIComponent(step)}.ndjson`);
}
