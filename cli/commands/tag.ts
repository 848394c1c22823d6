/**
 * `mf tag`: gives tags, takes them off, lists them. JSON of one run: {"run","tags","systemTags"}; of a flow or of everything:
 * [{"run","tag","at","by"}]. Metaflow's words (add, remove, replace, list in front) are read too: no run is named so.
 */
import type { MarkChange } from "../../src/client/control/daemon-side.ts";
import type { ReadSide } from "../../src/client/control/read-side.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText } from "../../src/model/ids.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import { isSet, type Mark } from "../../src/model/mark.ts";
import { parsePathspec } from "../../src/model/pathspec.ts";
import { checkGivenTag, marksByRun, runMarks, systemTags } from "../../src/model/run-tags.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withMarks } from "../compose.ts";
import { ageText, isoTime } from "../output/format.ts";
import { writeTable } from "../output/table.ts";
import { readTagOrder, type TagOrder, type TagWish } from "../tag-order.ts";
import { userName } from "../../src/client/user-name.ts";

export interface TagOptions extends CommonOptions, TagWish {}

export function tagCommand(
  context: CommandContext,
  words: readonly string[],
  options: TagOptions,
): Promise<number> {
  const order = readTagOrder(words, options);
  const { on } = order;
  const isChange = order.add.length + order.remove.length > 0;
  return withMarks(context, async ({ readSide, mark }) => {
    if (on === undefined || !on.includes("/")) {
      if (on !== undefined) parsePathspec(on);
      return listTags(context, await tagsGiven(readSide, on), options);
    }
    const summary = await readSide.run(on);
    if (isChange) await mark(changesOf(summary, order, await readSide.marks()));
    return showTags(context, { summary, isChange }, { marks: await readSide.marks(), options });
  });
}

/** All of them or none. @throws MfError TAG_INVALID, TAG_RESERVED, TAG_NOT_FOUND */
function changesOf(
  summary: RunSummary,
  { add, remove }: TagOrder,
  marks: readonly Mark[],
): MarkChange[] {
  const on = runText(summary.run);
  const user = userName();
  const own = systemTags(summary);
  const { tags } = runMarks(marksByRun(marks), summary);
  for (const tag of remove) {
    checkGivenTag(tag);
    if (tags.includes(tag)) continue;
    const hint = tags.length === 0 ? "It has none." : `It has: ${tags.join(", ")}.`;
    throw new MfError("TAG_NOT_FOUND", { tag, who: `Run ${on} does not have`, hint });
  }
  // What the run has by itself need not be given.
  const given = add.filter((tag) => !own.includes(tag));
  for (const tag of given) checkGivenTag(tag);
  return [
    ...remove.map((name) => ({ kind: "tag", on, name, user }) as const),
    ...given.map((name) => ({ kind: "tag", on, name, user, value: "" }) as const),
  ];
}

function showTags(
  context: CommandContext,
  { summary, isChange }: { readonly summary: RunSummary; readonly isChange: boolean },
  { marks, options }: { readonly marks: readonly Mark[]; readonly options: TagOptions },
): number {
  const run = runText(summary.run);
  const given = marks
    .filter((mark) => mark.kind === "tag" && mark.on === run && isSet(mark))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = systemTags(summary);
  const { terminal, clock } = context;
  if (options.json === true) {
    writeJson(context, { run, tags: given.map(({ name }) => name), systemTags: own });
    return 0;
  }
  if (isChange) {
    terminal.out(`${[run, ...given.map(({ name }) => name)].join(" ")}\n`);
    return 0;
  }
  const now = clock.now();
  const rows = [...given, ...own.map((name) => ({ name, at: summary.createdAt, by: "" }))];
  writeTable(terminal, rows, [
    { title: "tag", text: ({ name }) => name },
    { title: "by", text: ({ by }) => by },
    { title: "at", text: ({ at }) => ageText(at, now), raw: ({ at }) => isoTime(at) },
  ]);
  return 0;
}

async function tagsGiven(readSide: ReadSide, flow: string | undefined): Promise<Mark[]> {
  const marks = await readSide.marks();
  return marks
    .filter(
      (mark) =>
        mark.kind === "tag" &&
        isSet(mark) &&
        (flow === undefined || mark.on.startsWith(`${flow}/`)),
    )
    .sort((a, b) => (a.name === b.name ? b.at - a.at : a.name < b.name ? -1 : 1));
}

function listTags(context: CommandContext, rows: readonly Mark[], options: TagOptions): number {
  const { terminal, clock } = context;
  if (options.json === true) {
    writeJson(
      context,
      rows.map(({ on, name, at, by }) => ({ run: on, tag: name, at, by })),
    );
    return 0;
  }
  if (rows.length === 0) terminal.err("no run has a tag\n");
  const now = clock.now();
  writeTable(terminal, rows, [
    { title: "tag", text: ({ name }) => name },
    { title: "run", text: ({ on }) => on },
    { title: "by", text: ({ by }) => by },
    { title: "at", text: ({ at }) => ageText(at, now), raw: ({ at }) => isoTime(at) },
  ]);
  return 0;
}
