/** What a run is called by: tags, note and pin that people gave it, and the tags that it has by itself (user:ada, state:failed, …). */
import { runText } from "./ids.ts";
import type { RunSummary } from "./journal.ts";
import { MfError } from "./errors.ts";
import { checkTag, isSet, type Mark } from "./mark.ts";

/** Before the colon of the tags that a run has by itself. Nobody gives one of these or takes it off. */
const SYSTEM_TAG_KINDS = [
  "user",
  "flow",
  "project",
  "branch",
  "version",
  "origin",
  "state",
] as const;

function isSystemTag(tag: string): boolean {
  return SYSTEM_TAG_KINDS.some((kind) => tag.startsWith(`${kind}:`));
}

/** Of a tag that somebody wants to give or take off. @throws MfError TAG_INVALID, TAG_RESERVED */
export function checkGivenTag(tag: string): string {
  if (isSystemTag(tag))
    throw new MfError("TAG_RESERVED", {
      tag,
      kinds: SYSTEM_TAG_KINDS.map((kind) => `${kind}:`).join(", "),
    });
  return checkTag(tag);
}

/** In the order of SYSTEM_TAG_KINDS. */
export function systemTags(summary: RunSummary): string[] {
  const { user, run, project, branch, version, origin, state } = summary;
  const values = { user, flow: run.flow, project, branch, version, origin: origin?.run, state };
  return SYSTEM_TAG_KINDS.flatMap((kind) => {
    const value = values[kind];
    return value === undefined || value === "" ? [] : [`${kind}:${value}`];
  });
}

export interface RunMarks {
  /** In the order of the alphabet. */
  readonly tags: readonly string[];
  readonly note?: string;
  readonly isPinned: boolean;
}

const NO_MARKS: RunMarks = { tags: [], isPinned: false };

/** By `flow/id`; ask with `runMarks`. */
export type MarksByRun = ReadonlyMap<string, RunMarks>;

export function marksByRun(marks: Iterable<Mark>): MarksByRun {
  const found = new Map<string, { tags: string[]; note?: string; isPinned: boolean }>();
  for (const mark of marks) {
    if (!isSet(mark)) continue;
    let entry = found.get(mark.on);
    if (entry === undefined) found.set(mark.on, (entry = { tags: [], isPinned: false }));
    if (mark.kind === "tag") entry.tags.push(mark.name);
    else if (mark.kind === "note") entry.note = mark.value ?? "";
    else if (mark.kind === "pin") entry.isPinned = true;
  }
  for (const { tags } of found.values()) tags.sort();
  return found;
}

/** Enough for `hasTags` of these tags: a store may have a hundred thousand marks of others. */
export function tagsNamed(marks: readonly Mark[], names: readonly string[]): readonly Mark[] {
  if (names.length === 0) return [];
  return marks.filter(({ kind, name }) => kind === "tag" && names.includes(name));
}

export function runMarks(marks: MarksByRun, summary: Pick<RunSummary, "run">): RunMarks {
  return marks.get(runText(summary.run)) ?? NO_MARKS;
}

/** True where the run has every one of them, given or by itself. */
export function hasTags(
  summary: RunSummary,
  marks: MarksByRun,
  wanted: readonly string[],
): boolean {
  if (wanted.length === 0) return true;
  const { tags } = runMarks(marks, summary);
  const own = systemTags(summary);
  return wanted.every((tag) => tags.includes(tag) || own.includes(tag));
}
