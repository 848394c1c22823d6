/**
 * `mf ls-versions`: stored versions, newest first. JSON: [{"artifact","id","run","at","by","bytes","peers"}]; `--columns` chooses others:
 * "what","user","kind","code","seen","seenAt","lastRun", and with --glance "versions". Times are ms since 1970.
 */
import type { ReadSide } from "../../src/client/control/read-side.ts";
import type { VersionList, VersionRow } from "../../src/client/versions/list-versions.ts";
import type { VersionKind, VersionsQuery } from "../../src/client/versions/version-query.ts";
import { runText } from "../../src/model/ids.ts";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { ageText, bytesText, isoTime } from "../output/format.ts";
import { writeTable, type Column } from "../output/table.ts";
import { readTimeSpan, type TimeSpan } from "../time-span.ts";

export interface LsVersionsOptions extends CommonOptions {
  readonly what?: readonly VersionKind[];
  readonly since?: string;
  readonly until?: string;
  readonly user?: string;
  readonly tag?: readonly string[];
  readonly run?: string;
  readonly peer?: string;
  readonly param?: readonly string[];
  readonly limit?: number;
  readonly columns?: readonly string[];
  readonly glance?: boolean;
  readonly each?: boolean;
  readonly quiet?: boolean;
}

/** Ids begin alike; this much tells them apart, and is enough for `mf get c:ID`. */
const ID_SHOWN = 16;
/** Rows for people where no limit was given. */
const ROWS_SHOWN = 50;

const JSON_COLUMNS = ["artifact", "id", "run", "at", "by", "bytes", "peers"];
const EACH_COLUMNS = [
  "artifact",
  "id",
  "kind",
  "bytes",
  "run",
  "at",
  "by",
  "seen",
  "seenAt",
  "peers",
];
/** A terminal that is not wide shows names whole rather than everything. */
const WIDE = 120;
const NARROW_COLUMNS = ["artifact", "id", "kind", "run", "at"];
const NARROW_GLANCE_COLUMNS = ["artifact", "versions", "kind", "id", "seenAt"];
const GLANCE_COLUMNS = [
  "artifact",
  "versions",
  "id",
  "kind",
  "bytes",
  "run",
  "at",
  "seenAt",
  "peers",
];

export async function lsVersionsCommand(
  context: CommandContext,
  prefix: string | undefined,
  options: LsVersionsOptions,
): Promise<number> {
  const isForPrograms = options.json === true || options.quiet === true;
  const isWhole = prefix === undefined || !prefix.includes("/");
  const isGlance = options.glance ?? (!isForPrograms && isWhole && options.each !== true);
  const limit = options.limit ?? (isForPrograms ? undefined : ROWS_SHOWN);
  const list = await withReadSide(context, async (readSide, daemon) => {
    const query = await queryOf(context, readSide, { ...options, prefix });
    const versions = await readSide.versions({
      ...query,
      ...(prefix === undefined ? {} : { prefix }),
      // At a glance, all that there is of a flow.
      ...(isGlance && query.what === undefined ? { what: ["artifact", "source", "code"] } : {}),
      ...(isGlance ? { glance: true } : {}),
      ...(limit === undefined ? {} : { limit }),
    });
    await warnUnanswered(context, daemon);
    return versions;
  });
  show(context, list, { ...options, isGlance });
  if (list.rows.length === 0 && !isForPrograms) context.terminal.err("nothing fits\n");
  if (list.more && options.limit === undefined)
    context.terminal.err(`only the newest ${list.rows.length} are shown; --limit shows more\n`);
  return 0;
}

async function queryOf(
  { clock }: CommandContext,
  readSide: Pick<ReadSide, "run">,
  options: LsVersionsOptions & { readonly prefix: string | undefined },
): Promise<VersionsQuery> {
  const { what, since, until, user, tag, run, peer, param, prefix } = options;
  const now = clock.now();
  const span = (option: string, text: string): TimeSpan =>
    readTimeSpan(option, text, { now, command: "ls-versions" });
  return {
    ...(what === undefined ? {} : { what }),
    ...(since === undefined ? {} : { since: span("--since", since).from }),
    ...(until === undefined ? {} : { until: span("--until", until).until }),
    ...(user === undefined ? {} : { user }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(run === undefined ? {} : { run: await runOf(readSide, { run, prefix }) }),
    ...(peer === undefined ? {} : { peer }),
    ...(param === undefined ? {} : { params: Object.fromEntries(param.map(paramOf)) }),
  };
}

/** The beginning of an id fits in any flow; `latest`, `@tag` and times are those of the flow that is listed. */
async function runOf(
  readSide: Pick<ReadSide, "run">,
  { run, prefix = "" }: { readonly run: string; readonly prefix: string | undefined },
): Promise<string> {
  const [flow = ""] = prefix.split("/");
  const isAddress = run === "latest" || /^@|^\d{4}-\d/.test(run);
  const text = isAddress && flow !== "" ? `${flow}/${run}` : run;
  if (isAddress && flow === "")
    throw new MfError("USAGE", {
      message: `--run ${run} is of which flow? Write --run flow/${run}.`,
      command: "ls-versions",
    });
  return text.includes("/") ? runText((await readSide.run(text)).run) : run;
}

function paramOf(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1)
    throw new MfError("USAGE", {
      message: `--param ${text} has no value; write --param name=value.`,
      command: "ls-versions",
    });
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function show(
  context: CommandContext,
  { rows }: VersionList,
  options: LsVersionsOptions & { readonly isGlance: boolean },
): void {
  const { isGlance } = options;
  if (options.quiet === true) {
    for (const row of rows) context.terminal.out(`${row.id}\n`);
    return;
  }
  if (options.json === true) {
    const names = options.columns ?? (isGlance ? [...JSON_COLUMNS, "versions"] : JSON_COLUMNS);
    writeJson(
      context,
      rows.map((row) =>
        Object.fromEntries(names.map((name) => [name, row[name as keyof VersionRow]])),
      ),
    );
    return;
  }
  const columns = columnsAt(context.clock.now());
  const isNarrow = context.terminal.isOutTty && context.terminal.width() < WIDE;
  const names = options.columns ?? defaultColumns(isGlance, isNarrow);
  writeTable(
    context.terminal,
    rows,
    names.flatMap((name) => columns.find(({ title }) => title === name) ?? []),
  );
}

function defaultColumns(isGlance: boolean, isNarrow: boolean): readonly string[] {
  if (isGlance) return isNarrow ? NARROW_GLANCE_COLUMNS : GLANCE_COLUMNS;
  return isNarrow ? NARROW_COLUMNS : EACH_COLUMNS;
}

/** By name, as in JSON. */
function columnsAt(now: number): Column<VersionRow>[] {
  const time = (title: "at" | "seenAt"): Column<VersionRow> => ({
    title,
    text: (row) => ageText(row[title], now),
    raw: (row) => isoTime(row[title]),
  });
  const text = (
    title: "artifact" | "what" | "kind" | "run" | "by" | "user" | "lastRun",
  ): Column<VersionRow> => ({
    title,
    text: (row) => row[title],
  });
  return [
    ...(["artifact", "what", "kind", "run", "by", "user", "lastRun"] as const).map(text),
    { title: "id", text: (row) => row.id.slice(0, ID_SHOWN), raw: (row) => row.id },
    { title: "code", text: (row) => row.code.slice(0, ID_SHOWN), raw: (row) => row.code },
    {
      title: "bytes",
      align: "right",
      text: (row) => bytesText(row.bytes),
      raw: (row) => String(row.bytes),
    },
    time("at"),
    time("seenAt"),
    { title: "seen", align: "right", text: (row) => String(row.seen) },
    { title: "versions", align: "right", text: (row) => String(row.versions ?? 1) },
    { title: "peers", text: (row) => row.peers.join(",") },
  ];
}
