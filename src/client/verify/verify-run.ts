/**
 * Is a run what it says it is? From its journal over its code and its facts to every byte it made, and who vouches for them. Nothing is
 * executed, and nothing that is stored is believed: each link is derived again from the one before.
 */
import { createHash } from "node:crypto";
import { scriptCodeId } from "../../code/code-id.ts";
import type { FlowPackage } from "../../code/flow-package.ts";
import { isMfError, toErrorRecord } from "../../model/errors.ts";
import { runText, type RunRef } from "../../model/ids.ts";
import type { Records } from "../records.ts";
import { contentsOfRun, filesOfRun } from "../run-contents.ts";
import { checkContents, type ContentsProgress } from "./check-contents.ts";
import { checkKeys, checkSignatures } from "./check-facts.ts";
import { recordedRun, type RecordedRun } from "./recorded-run.ts";
import { replayRun } from "./replay-run.ts";
import {
  Findings,
  PROBLEMS_MAX,
  reasonOf,
  type VerifyCounts,
  type VerifyReport,
} from "./verify-report.ts";

export interface VerifyOptions {
  /** Contents are not hashed; everything else is checked. */
  readonly isQuick?: boolean;
  readonly onProgress?: (progress: ContentsProgress) => void;
}

const NOTHING: VerifyCounts = {
  entries: 0,
  tasks: 0,
  codes: 0,
  traced: 0,
  signed: 0,
  unsigned: 0,
  contents: 0,
  bytes: 0,
  missing: 0,
};

/** @throws MfError RUN_NOT_FOUND */
export async function verifyRun(
  records: Records,
  run: RunRef,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const findings = new Findings();
  const recorded = await recordedRun(records, run, findings);
  if (recorded === undefined)
    return reportOf(findings, { run: runText(run), state: "unknown", counts: NOTHING });
  const flowPackage = await readPackage(records, recorded, findings);
  let codes = 0;
  let traced = 0;
  if (flowPackage !== undefined) {
    codes = await checkCodes(recorded, flowPackage, findings);
    checkKeys(recorded, flowPackage, findings);
    traced = await tracedTasks(records, recorded, { flowPackage, findings });
  }
  const signatures = await checkSignatures(records, recorded, findings);
  const values = contentsOfRun(recorded);
  const contents = [...values, ...(await filesOfRun(records, values))];
  const { isQuick = false, onProgress } = options;
  const progress = onProgress === undefined ? {} : { onProgress };
  const checked = await checkContents(records, contents, { findings, isQuick, ...progress });
  if (isQuick) findings.note("contents were not hashed (--quick)");
  const { signed, unsigned, signers } = signatures;
  return reportOf(findings, {
    run: runText(run),
    state: recorded.state,
    signers,
    missing: checked.missing
      .slice(0, PROBLEMS_MAX)
      .map(({ where, id, bytes = 0 }) => ({ where, id, bytes })),
    counts: {
      entries: recorded.entries,
      tasks: recorded.tasks.size,
      codes,
      traced,
      signed,
      unsigned,
      contents: checked.contents,
      bytes: checked.bytes,
      missing: checked.missing.length,
    },
  });
}

function reportOf(
  findings: Findings,
  rest: Pick<VerifyReport, "run" | "state" | "counts"> &
    Partial<Pick<VerifyReport, "signers" | "missing">>,
): VerifyReport {
  const { problems, count, notes } = findings;
  const { run, state, counts, signers = [], missing = [] } = rest;
  const isOk = count === 0;
  return {
    run,
    state,
    isOk,
    counts,
    signers,
    problems,
    problemCount: count,
    missing,
    notes: [...notes],
  };
}

async function readPackage(
  records: Records,
  { started, run }: RecordedRun,
  findings: Findings,
): Promise<FlowPackage | undefined> {
  let flowPackage: FlowPackage;
  try {
    flowPackage = await records.flowPackage(started.packageId);
  } catch (error) {
    const isJson = error instanceof SyntaxError;
    if (!isJson && toErrorRecord(error).code === "INTERNAL") throw error;
    findings.add("package-missing", started.packageId, reasonOf(error));
    return undefined;
  }
  const { graph, bundleId, bundle, steps } = flowPackage;
  const where = runText(run);
  if (graph?.name !== run.flow || steps === undefined) {
    findings.add("package-differs", where, "its code is that of another flow");
    return undefined;
  }
  if (bundleId !== started.bundleId || hashOf(bundle) !== bundleId)
    findings.add("package-differs", where, "its source is not the one that the journal names");
  return flowPackage;
}

function hashOf(bundle: string): string {
  return createHash("sha256").update(bundle).digest("hex");
}

/** @returns how many were hashed */
async function checkCodes(
  { started, run }: RecordedRun,
  { steps }: FlowPackage,
  findings: Findings,
): Promise<number> {
  let hashed = 0;
  const names = new Set([...Object.keys(steps), ...Object.keys(started.codes)]);
  for (const name of names) {
    const code = steps[name];
    const where = `${runText(run)}/${name}`;
    if (code === undefined || code.codeId !== started.codes[name]) {
      findings.add("code-differs", where, "the journal names another code than the run was given");
      continue;
    }
    if (code.kind === "python") {
      findings.note(`${name}: the identity of Python code is its syntax tree, not hashed here`);
      continue;
    }
    hashed++;
    if ((await scriptCodeId(code).catch(() => "")) !== code.codeId)
      findings.add("code-differs", where, "its code does not hash to its code id");
  }
  return hashed;
}

async function tracedTasks(
  records: Records,
  recorded: RecordedRun,
  to: { readonly flowPackage: FlowPackage; readonly findings: Findings },
): Promise<number> {
  try {
    return await replayRun(records, recorded, to);
  } catch (error) {
    if (!isMfError(error)) throw error;
    if (error.code === "CONTENT_MISSING")
      to.findings.note("inputs were not traced: a parameter is missing");
    else to.findings.add("inputs-differ", runText(recorded.run), reasonOf(error));
    return 0;
  }
}
