/** How a run that verifies another ended: counts, the first step that diverged and how, and each artifact that is not identical. */
import type { ExplainedFinding, Verification } from "../src/client/repeat/verification.ts";
import { verifyRun } from "../src/client/repeat/verification.ts";
import type { MadeRun } from "../src/client/repeat/compare-runs.ts";
import type { Origin } from "../src/client/repeat/origin.ts";
import type { Records } from "../src/client/records.ts";
import type { RunResult } from "../src/engine/run-api.ts";
import { runText, taskText } from "../src/model/ids.ts";
import { writeJson, type CommandContext } from "./command-context.ts";
import { countText } from "./output/format.ts";
import { createPaint } from "./output/paint.ts";
import { writeTable, type Column } from "./output/table.ts";
import {
  exitCodeOf,
  reportFailures,
  reportJsonError,
  reportRun,
  resultJson,
  summaryLine,
  type RunReport,
} from "./run-report.ts";

/** Of --json; the counts are of all. */
const FINDINGS_LISTED_MAX = 1000;
/** On a terminal and in a pipe. */
const ROWS_MAX = 50;

interface VerifiedRun {
  readonly records: Records;
  readonly origin: Origin;
  readonly before: MadeRun;
}

export function verifyReport({ records, origin, before }: VerifiedRun): RunReport {
  return async (context, result, options) => {
    // What was not executed says nothing about what it would have come to.
    if (result.state === "cancelled") return reportRun(context, result, options);
    const verification = await verifyRun(records, origin, { before, run: runText(result.run) });
    const originText = runText(origin.summary.run);
    if (options.json === true) {
      reportJsonError(context, result);
      writeJson(context, {
        ...resultJson(result),
        verify: { origin: originText, ...verifyJson(verification) },
      });
    } else {
      reportFailures(context, result);
      context.terminal.err(`${summaryLine(context, result)}\n`);
      tellPeople(context, { verification, originText, result });
    }
    const code = exitCodeOf(result);
    return code === 0 && !isAllIdentical(verification) ? 1 : code;
  };
}

function isAllIdentical({ counts }: Verification): boolean {
  return counts.different === 0 && counts.incomparable === 0;
}

function verifyJson({ counts, diverged, first, findings }: Verification) {
  return {
    ...counts,
    diverged,
    first: first === undefined ? null : findingJson(first),
    findings: findings.slice(0, FINDINGS_LISTED_MAX).map(findingJson),
    listed: Math.min(findings.length, FINDINGS_LISTED_MAX),
  };
}

function findingJson(finding: ExplainedFinding) {
  const { artifact, verdict, why, isOwn, before, after, difference } = finding;
  return {
    task: taskText(finding),
    artifact: artifact ?? null,
    verdict,
    why,
    own: isOwn,
    before: before ?? null,
    after: after ?? null,
    difference: difference ?? null,
  };
}

interface Told {
  readonly verification: Verification;
  readonly originText: string;
  readonly result: RunResult;
}

function tellPeople(context: CommandContext, { verification, originText, result }: Told): void {
  const { terminal } = context;
  const { counts, findings } = verification;
  const paint = createPaint(terminal.colourOut);
  if (isAllIdentical(verification)) {
    const of = countText(counts.identical, "artifact");
    const end =
      result.state === "succeeded"
        ? `${paint.green("identical")}: all ${of} of ${originText}`
        : `what it made is identical (${of} of ${originText}), but it ${result.state}`;
    terminal.out(`${end}\n`);
    return;
  }
  if (findings.length > 0) writeTable(terminal, findings.slice(0, ROWS_MAX), COLUMNS);
  if (findings.length > ROWS_MAX)
    terminal.err(`${findings.length - ROWS_MAX} more; --json lists them\n`);
  const parts = [`${counts.identical} identical`, paint.red(`${counts.different} different`)];
  if (counts.incomparable > 0) parts.push(`${counts.incomparable} not comparable`);
  terminal.err(`compared with ${originText}: ${parts.join(", ")}\n`);
  for (const line of divergedLines(verification)) terminal.err(`${line}\n`);
}

/** The first step and how, then the others that did not repeat either. */
function divergedLines({ first, diverged }: Verification): string[] {
  if (first === undefined) return [];
  const place =
    first.artifact === undefined ? taskText(first) : `${taskText(first)}/${first.artifact}`;
  const lines = [`first to diverge: ${place}: ${first.why}${changeText(first)}`];
  const others = diverged.filter((step) => step !== first.step);
  if (others.length > 0) lines.push(`also not repeatable: ${others.join(", ")}`);
  if (diverged.length > 0)
    lines.push(
      "A step that draws or reads the clock does not repeat: use ctx.random, and pass dates as parameters.",
    );
  return lines;
}

function changeText({ difference }: ExplainedFinding): string {
  if (difference === undefined) return "";
  const { path, before, after, note } = difference;
  const at = path === "" ? "" : `${path.replace(/^\./, "")}: `;
  return ` (${at}${before} then, ${after} now${note === undefined ? "" : `; ${note}`})`;
}

const COLUMNS: readonly Column<ExplainedFinding>[] = [
  { title: "task", text: taskText },
  { title: "artifact", text: ({ artifact }) => artifact ?? "-" },
  {
    title: "verdict",
    text: ({ verdict }) => (verdict === "incomparable" ? "not comparable" : verdict),
    raw: ({ verdict }) => verdict,
  },
  { title: "why", text: (finding) => `${finding.why}${changeText(finding)}` },
];
