/** What a run made, read from its journal and the facts it names, and how one that verifies another compares with it. */
import { fromErrorRecord, isMfError } from "../../model/errors.ts";
import { taskText } from "../../model/ids.ts";
import type { JournalEntry } from "../../model/journal.ts";
import type { Records } from "../records.ts";
import { compareRuns, type Comparison, type Finding, type MadeRun } from "./compare-runs.ts";
import { readOrigin, succeededTasks, type Origin } from "./origin.ts";
import { valueDifference, type ValueDifference } from "./value-difference.ts";

/** Findings whose values are read and compared: enough to see what happened. */
const SUMMARIES_MAX = 10;
/** Larger artifacts are told apart by their ids only. */
const SUMMARY_BYTES_MAX = 16 * 1024 * 1024;

export interface ExplainedFinding extends Finding {
  readonly difference?: ValueDifference;
}

export interface Verification extends Omit<Comparison, "findings" | "first"> {
  readonly findings: readonly ExplainedFinding[];
  readonly first: ExplainedFinding | undefined;
}

/** Read of the origin before anything is executed again: journals of version 0.1 name the latest fact of a key, whichever that is. */
export async function madeRun(
  records: Records,
  journal: readonly JournalEntry[],
): Promise<MadeRun> {
  const tasks = [...succeededTasks(journal).values()];
  const facts = await records.facts(tasks);
  const failed = new Map<string, string>();
  for (const entry of journal)
    if (entry.t === "attempt-failed" && entry.final) {
      const { code, message } = fromErrorRecord(entry.error);
      failed.set(taskText(entry), `${code}: ${message}`);
    }
  return {
    tasks: tasks.map(({ step, index }, position) => ({ step, index, fact: facts[position] })),
    failed,
  };
}

/** `before`: what the origin made. `run`: the one that executed it again. */
export async function verifyRun(
  records: Records,
  { flowPackage }: Pick<Origin, "flowPackage">,
  { before, run }: { readonly before: MadeRun; readonly run: string },
): Promise<Verification> {
  const { journal } = await readOrigin(records, run);
  const after = await madeRun(records, journal);
  const { findings, first, ...rest } = compareRuns(flowPackage.graph, before, after);
  const told = mostTelling(findings, first).slice(0, SUMMARIES_MAX);
  const differences = new Map<Finding, ValueDifference>();
  for (const finding of told) {
    const difference = await differenceOf(records, finding);
    if (difference !== undefined) differences.set(finding, difference);
  }
  const explained = (finding: Finding): ExplainedFinding => {
    const difference = differences.get(finding);
    return difference === undefined ? finding : { ...finding, difference };
  };
  return {
    ...rest,
    findings: findings.map(explained),
    first: first === undefined ? undefined : explained(first),
  };
}

/** One of each step that diverged itself, then the others of those steps; where there are none, the first of all. */
function mostTelling(findings: readonly Finding[], first: Finding | undefined): Finding[] {
  const own = findings.filter(({ isOwn }) => isOwn);
  if (own.length === 0) return first === undefined ? [] : [first];
  const firsts = new Map<string, Finding>();
  for (const finding of own) if (!firsts.has(finding.step)) firsts.set(finding.step, finding);
  return [...new Set([...firsts.values(), ...own])];
}

/** A value that is nowhere any more leaves the ids to tell that it was another. */
async function differenceOf(
  records: Records,
  { before, after }: Finding,
): Promise<ValueDifference | undefined> {
  if (before === undefined || after === undefined) return undefined;
  if (before.bytes + after.bytes > SUMMARY_BYTES_MAX) return undefined;
  try {
    return valueDifference(await records.value(before.id), await records.value(after.id));
  } catch (error) {
    if (isMfError(error, "CONTENT_MISSING")) return undefined;
    throw error;
  }
}
