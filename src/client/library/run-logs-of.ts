/** What a run's steps printed, as lines: of every peer where a daemon answers, else of this machine. */
import { LineJoiner, loggedSteps, readLogPage, type StepLine } from "../run-logs.ts";
import type { RunRecord } from "./run-record.ts";

export interface LogLine {
  /** ms since 1970. */
  readonly at: number;
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  /** The machine that printed it, where a daemon tells. */
  readonly peer?: string;
}

export interface LogsWanted {
  readonly step?: string;
  readonly index?: readonly number[];
}

const PAGE_BYTES = 1024 * 1024;
const PAGE_RECORDS = 16_384;
/** Lines that are kept of a daemon's answer; the oldest. */
export const LOG_LINES_MAX = 1_000_000;

/** Oldest first; a step's lines of one task in the order in which it printed them. */
export async function* logsOf(run: RunRecord, wanted: LogsWanted): AsyncIterable<LogLine> {
  const { lease, home } = run.library;
  const told = await lease.use(async ({ daemon }) => {
    if (daemon === undefined) return undefined;
    const lines: LogLine[] = [];
    const take = (page: Parameters<Parameters<typeof daemon.logs>[1]>[0]): void => {
      for (const { stream, ...line } of page)
        if (lines.length < LOG_LINES_MAX)
          lines.push({ ...line, stream: stream === "stderr" ? "stderr" : "stdout" });
    };
    const request = { run: run.text, ...wanted, follow: false };
    await daemon.logs(request, take, new AbortController().signal);
    return lines;
  });
  if (told !== undefined) yield* told;
  else yield* filesOf(run, home, wanted);
}

/** Step by step: a file has what one step printed, in the order of time. */
async function* filesOf(
  { summary }: RunRecord,
  home: string,
  { step: wanted, index }: LogsWanted,
): AsyncIterable<LogLine> {
  for (const step of await loggedSteps(home, summary.run)) {
    if (wanted !== undefined && step !== wanted) continue;
    const joiner = new LineJoiner(step);
    let from = 0;
    for (let isEnd = false; !isEnd;) {
      const page = await readLogPage(home, summary.run, {
        step,
        from,
        bytesMax: PAGE_BYTES,
        recordsMax: PAGE_RECORDS,
        ...(index === undefined ? {} : { index }),
      });
      from = page.next;
      isEnd = page.isEnd;
      for (const record of page.records) {
        const line = joiner.add(record);
        if (line !== undefined) yield shown(line);
      }
    }
    for (const line of joiner.end()) yield shown(line);
  }
}

function shown({ stream, ...line }: StepLine): LogLine {
  return { ...line, stream: stream === "err" ? "stderr" : "stdout" };
}
