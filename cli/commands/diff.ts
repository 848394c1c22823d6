/**
 * `mf diff`: what differs between two runs, tasks, artifacts or contents. Exits with 1 where anything does. JSON: {"a","b","same",
 * "sections":[{"name","same","items":[{"name","change","a","b","of","summary","lines","details","isCut"}]}],"notes":[]}.
 */
import { diff } from "../../src/client/diff/diff.ts";
import type { DiffItem, DiffReport, DiffSection } from "../../src/client/diff/diff-report.ts";
import { Records } from "../../src/client/records.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { createPaint, type Paint } from "../output/paint.ts";
import { writeTable } from "../output/table.ts";

export interface DiffCommandOptions extends CommonOptions {
  readonly step?: string;
  readonly all?: boolean;
  readonly quiet?: boolean;
}

/** As diff(1) says it. */
const EXIT_DIFFERENT = 1;

export async function diffCommand(
  context: CommandContext,
  specs: readonly [string, string],
  options: DiffCommandOptions,
): Promise<number> {
  const { step, all } = options;
  const report = await withReadSide(context, async (readSide, daemon) => {
    const found = await diff(new Records(readSide), specs, {
      ...(step === undefined ? {} : { step }),
      ...(all === undefined ? {} : { all }),
    });
    await warnUnanswered(context, daemon);
    return found;
  });
  if (options.quiet !== true) show(context, report, options);
  return report.same ? 0 : EXIT_DIFFERENT;
}

function show(context: CommandContext, report: DiffReport, { json }: DiffCommandOptions): void {
  const { terminal } = context;
  if (json === true) return writeJson(context, report);
  for (const note of report.notes) terminal.err(`note: ${note}\n`);
  if (!terminal.isOutTty) return writeRows(context, report);
  const paint = createPaint(terminal.colourOut);
  terminal.out(`${paint.red(`--- ${report.a}`)}\n${paint.green(`+++ ${report.b}`)}\n`);
  for (const section of report.sections) terminal.out(sectionText(section, paint));
  if (report.same) terminal.out("no difference\n");
}

function sectionText({ name, same, items }: DiffSection, paint: Paint): string {
  if (items.length === 0) return same === 0 ? "" : `${paint.bold(name)}: ${same} the same\n`;
  const head = same === 0 ? name : `${name} (${same} the same)`;
  return `${paint.bold(head)}\n${items.map((item) => itemText(item, paint)).join("")}`;
}

function itemText(item: DiffItem, paint: Paint): string {
  const name = item.name === "" ? "" : `${item.name}: `;
  if (item.change === "same") return `  ${paint.dim(`${name}the same`)}\n`;
  if (item.change === "only-a") return paint.red(`- ${name}${item.a ?? ""}\n`);
  if (item.change === "only-b") return paint.green(`+ ${name}${item.b ?? ""}\n`);
  const lines = (item.lines ?? []).map((line) => `    ${lineText(line, paint)}\n`);
  const cut = item.isCut === true ? `    ${paint.dim("… and more")}\n` : "";
  return `  ${name}${whatChanged(item)}\n${lines.join("")}${cut}`;
}

function lineText(line: string, paint: Paint): string {
  const sign = line.trimStart().charAt(0);
  return sign === "-" ? paint.red(line) : sign === "+" ? paint.green(line) : line;
}

function whatChanged({ summary, a = "", b = "" }: DiffItem): string {
  return summary ?? `${a} → ${b}`;
}

function writeRows(context: CommandContext, report: DiffReport): void {
  const rows = report.sections.flatMap(({ name, items }) =>
    items.map((item) => ({ section: name, item })),
  );
  writeTable(context.terminal, rows, [
    { title: "section", text: ({ section }) => section },
    { title: "name", text: ({ item }) => item.name },
    { title: "change", text: ({ item }) => item.change },
    { title: "a", text: ({ item }) => item.a ?? "" },
    { title: "b", text: ({ item }) => item.b ?? "" },
    { title: "summary", text: ({ item }) => item.summary ?? "" },
  ]);
}
