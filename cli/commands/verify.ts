/**
 * `mf verify`: is a run what it says it is? JSON: one object {"run","state","isOk","counts","signers","problems","problemCount",
 * "missing","notes"}; a problem is {"kind","where","detail"}. Exit code 7 where something is wrong.
 */
import { Records } from "../../src/client/records.ts";
import type { SignerFound, VerifyReport } from "../../src/client/verify/verify-report.ts";
import { verifyRun } from "../../src/client/verify/verify-run.ts";
import { homeSigners } from "../home-signers.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { bytesText, countText } from "../output/format.ts";
import { createPaint } from "../output/paint.ts";
import { writeTable } from "../output/table.ts";
import { ticker } from "../output/ticker.ts";

export interface VerifyOptions extends CommonOptions {
  readonly quick?: boolean;
}

const PROBLEM_EXIT = 7;
const SHOWN_MAX = 20;
/** Ids begin alike, so their ends are shown. */
const ID_SHOWN = 8;

export function verifyCommand(
  context: CommandContext,
  run: string,
  options: VerifyOptions,
): Promise<number> {
  return withReadSide(context, async (opened, daemon) => {
    const signers = daemon === undefined ? homeSigners(context) : undefined;
    const readSide = signers === undefined ? opened : { ...opened, signers };
    const { run: ref } = await readSide.run(run);
    const tick = ticker(context);
    let report: VerifyReport;
    try {
      report = await verifyRun(new Records(readSide), ref, {
        isQuick: options.quick === true,
        onProgress: ({ done, total, bytes }) =>
          tick.tell(`verifying ${done} of ${total} contents, ${bytesText(bytes)}`),
      });
    } finally {
      tick.end();
    }
    if (options.json === true) writeJson(context, report);
    else show(context, report);
    return report.isOk ? 0 : PROBLEM_EXIT;
  });
}

function show({ terminal }: CommandContext, report: VerifyReport): void {
  writeTable(terminal, rowsOf(report), [
    { title: "check", text: (row) => row[0] },
    { title: "found", text: (row) => row[1] },
  ]);
  const paint = createPaint(terminal.colourErr);
  for (const { where, id } of report.missing.slice(0, SHOWN_MAX))
    terminal.err(`missing: ${where} (${id})\n`);
  for (const note of report.notes.slice(0, SHOWN_MAX)) terminal.err(`note: ${note}\n`);
  for (const { kind, where, detail } of report.problems.slice(0, SHOWN_MAX))
    terminal.err(`${paint.red("problem")}: ${kind} at ${where}: ${detail}\n`);
  const more = report.problemCount - Math.min(SHOWN_MAX, report.problems.length);
  if (more > 0) terminal.err(`… and ${countText(more, "more problem")}; --json lists them\n`);
}

function rowsOf({
  run,
  state,
  counts,
  signers,
  isOk,
  problemCount,
}: VerifyReport): [string, string][] {
  const { entries, tasks, codes, traced, signed, unsigned, contents, bytes, missing } = counts;
  const gone = missing === 0 ? "" : `, ${missing} not here`;
  return [
    ["run", `${run} (${state})`],
    ["journal", `${countText(entries, "entry").replace("entrys", "entries")}, chained`],
    ["code", `${countText(codes, "step")} hashed`],
    ["tasks", `${tasks}, inputs of ${traced} derived again`],
    ["signatures", `${signed} signed, ${unsigned} unsigned`],
    ...signers.map((signer): [string, string] => ["signer", signerText(signer)]),
    ["contents", `${contents}, ${bytesText(bytes)} hashed${gone}`],
    ["verdict", isOk ? "as it says" : countText(problemCount, "problem")],
  ];
}

const STANDINGS = {
  self: "this home",
  member: "certified by this mesh",
  revoked: "certified by this mesh, revoked since",
  unknown: "certified by nobody here",
} as const;

function signerText({ peer, by, facts, standing }: SignerFound): string {
  return `${by.join(", ")} …${peer.slice(-ID_SHOWN)}: ${countText(facts, "fact")}, ${STANDINGS[standing]}`;
}
