/**
 * `mf ls`: runs, one's own first, each newest first. JSON: an array of run summaries with "run" as text and, beside what the run says
 * itself, "flow", "mine", "tags" (given), "systemTags" (its own), "note" (null where it has none) and "pinned".
 */
import { ownFirst, selectRuns, type RunFilter } from "../../src/client/select-runs.ts";
import type { RunState, RunSummary } from "../../src/model/journal.ts";
import { runText } from "../../src/model/ids.ts";
import { marksByRun, runMarks, systemTags, type MarksByRun } from "../../src/model/run-tags.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { ageText, durationText, isoTime } from "../output/format.ts";
import { createPaint, stateStyle } from "../output/paint.ts";
import { writeTable, type Column } from "../output/table.ts";
import { readTimeSpan } from "../time-span.ts";
import { userName } from "../../src/client/user-name.ts";
import { MfError } from "../../src/model/errors.ts";

export interface LsOptions extends CommonOptions {
  readonly limit: number;
  readonly state?: RunState;
  readonly user?: string;
  readonly tag?: readonly string[];
  readonly project?: string;
  readonly branch?: string;
  readonly since?: string;
  readonly until?: string;
  readonly mine?: boolean;
  readonly all?: boolean;
  readonly wide?: boolean;
  readonly quiet?: boolean;
}

export async function lsCommand(
  context: CommandContext,
  flow: string | undefined,
  options: LsOptions,
): Promise<number> {
  const me = userName();
  const filter = readFilter(context, options, me);
  const { runs, marks } = await withReadSide(context, async (readSide, daemon) => {
    const runs = await readSide.runs(flow);
    await warnUnanswered(context, daemon);
    return { runs, marks: marksByRun(await readSide.marks()) };
  });
  const selected = selectRuns(runs, marks, filter);
  const isByTime = options.all === true || filter.user !== undefined;
  const rows = (isByTime ? selected : ownFirst(selected, me)).slice(0, options.limit);
  const { terminal } = context;
  if (options.json === true) {
    writeJson(
      context,
      rows.map((row) => jsonRow(row, marks, me)),
    );
    return 0;
  }
  if (options.quiet === true) {
    for (const row of rows) terminal.out(`${runText(row.run)}\n`);
    return 0;
  }
  if (rows.length === 0) terminal.err(runs.length === 0 ? noRuns(flow) : "nothing fits\n");
  // A terminal is narrow; in a pipe the columns are always the same.
  const isShown = ({ text }: Column<RunSummary>): boolean =>
    !terminal.isOutTty || rows.some((row) => text(row) !== "");
  writeTable(terminal, rows, [
    ...columns(context),
    ...(options.wide === true ? wideColumns(marks).filter(isShown) : []),
  ]);
  return 0;
}

function noRuns(flow: string | undefined): string {
  return flow === undefined ? "no runs yet\n" : `no runs of flow ${flow}\n`;
}

function readFilter({ clock }: CommandContext, options: LsOptions, me: string): RunFilter {
  const { state, user, tag = [], project, branch, since, until, mine, all } = options;
  const usage = (message: string): MfError => new MfError("USAGE", { message, command: "ls" });
  if (mine === true && all === true) throw usage("--mine and --all exclude each other.");
  if (mine === true && user !== undefined) throw usage("--mine and --user exclude each other.");
  const whose = mine === true ? me : user;
  const now = clock.now();
  return {
    tags: tag,
    ...(state === undefined ? {} : { state }),
    ...(whose === undefined ? {} : { user: whose }),
    ...(project === undefined ? {} : { project }),
    ...(branch === undefined ? {} : { branch }),
    ...(since === undefined
      ? {}
      : { since: readTimeSpan("--since", since, { now, command: "ls" }).from }),
    ...(until === undefined
      ? {}
      : { until: readTimeSpan("--until", until, { now, command: "ls" }).until }),
  };
}

function jsonRow(row: RunSummary, marks: MarksByRun, me: string): object {
  const { tags, note, isPinned } = runMarks(marks, row);
  // In one order, whichever way the row came here: two peers print the same bytes.
  const { run, state, createdAt, finishedAt, user, file, bundleId, counts, pid, ...more } = row;
  const { total, succeeded, failed, reused, executed } = counts;
  return {
    run: runText(run),
    state,
    createdAt,
    ...(finishedAt === undefined ? {} : { finishedAt }),
    user,
    file,
    bundleId,
    counts: { total, succeeded, failed, reused, executed },
    pid,
    ...inOrder(more),
    flow: run.flow,
    mine: row.user === me,
    tags,
    systemTags: systemTags(row),
    note: note ?? null,
    pinned: isPinned,
  };
}

function inOrder(fields: object): object {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function columns({ terminal, clock }: CommandContext): Column<RunSummary>[] {
  const now = clock.now();
  const paint = createPaint(terminal.colourOut);
  const span = (row: RunSummary): number => (row.finishedAt ?? now) - row.createdAt;
  return [
    { title: "run", isWhole: true, text: (row) => runText(row.run) },
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
  ];
}

/** A table shows the beginning of a note; `mf note RUN` all of it. */
function wideColumns(marks: MarksByRun): Column<RunSummary>[] {
  return [
    { title: "tags", text: (row) => runMarks(marks, row).tags.join(" ") },
    { title: "project", text: (row) => row.project ?? "" },
    { title: "branch", text: (row) => row.branch ?? "" },
    { title: "origin", text: (row) => row.origin?.run ?? "" },
    { title: "pinned", text: (row) => (runMarks(marks, row).isPinned ? "yes" : "") },
    { title: "note", text: (row) => runMarks(marks, row).note ?? "" },
  ];
}
