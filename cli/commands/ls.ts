/** `mf ls`: runs, newest first. JSON: an array of run summaries with "run" as text. */
import type { RunSummary } from "../../src/model/journal.ts";
import { runText } from "../../src/model/ids.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { ageText, durationText, isoTime } from "../output/format.ts";
import { createPaint, stateStyle } from "../output/paint.ts";
import { writeTable } from "../output/table.ts";

export interface LsOptions extends CommonOptions {
  readonly limit: number;
  readonly state?: string;
  readonly quiet?: boolean;
}

export async function lsCommand(
  context: CommandContext,
  flow: string | undefined,
  options: LsOptions,
): Promise<number> {
  const all = await withReadSide(context, async (readSide, daemon) => {
    const runs = await readSide.runs(flow);
    await warnUnanswered(context, daemon);
    return runs;
  });
  const rows = all
    .filter((row) => options.state === undefined || row.state === options.state)
    .slice(0, options.limit);
  const { terminal, clock } = context;
  if (options.json === true) {
    writeJson(
      context,
      rows.map((row) => ({ ...row, run: runText(row.run), flow: row.run.flow })),
    );
    return 0;
  }
  if (options.quiet === true) {
    for (const row of rows) terminal.out(`${runText(row.run)}\n`);
    return 0;
  }
  const now = clock.now();
  const paint = createPaint(terminal.colourOut);
  const span = (row: RunSummary): number => (row.finishedAt ?? now) - row.createdAt;
  writeTable(terminal, rows, [
    { title: "run", text: (row) => runText(row.run) },
    { title: "state", text: (row) => row.state, style: (row) => stateStyle(paint, row.state) },
    {
      title: "tasks",
      align: "right",
      text: (row) => `${row.counts.succeeded}/${row.counts.total}`,
    },
    { title: "reused", align: "right", text: (row) => String(row.counts.reused) },
    {
      title: "took",
      align: "right",
      text: (row) => durationText(span(row)),
      raw: (row) => (span(row) / 1000).toFixed(3),
    },
    {
      title: "started",
      text: (row) => ageText(row.createdAt, now),
      raw: (row) => isoTime(row.createdAt),
    },
    { title: "user", text: (row) => row.user },
  ]);
  return 0;
}
