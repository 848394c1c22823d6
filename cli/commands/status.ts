/** `mf status`: a run's steps and counts. JSON: {"run","flow","state","owner","sealed","steps","attempts"} and, where the run ended by one, "error". */
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { LONE_PEER, withReadSide } from "../compose.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { fromErrorRecord } from "../../src/model/errors.ts";
import { errorText } from "../render-error.ts";
import { marksByRun, type RunMarks } from "../../src/model/run-tags.ts";
import { createPaint, stateStyle } from "../output/paint.ts";
import { oneLine } from "../output/text-width.ts";
import { peersText } from "../output/run-display.ts";
import { writeTable } from "../output/table.ts";

export async function statusCommand(
  context: CommandContext,
  run: string,
  options: CommonOptions,
): Promise<number> {
  const { status, marks, hasDaemon } = await withReadSide(context, async (readSide, daemon) => {
    const status = await readSide.status(run);
    const marks = marksByRun(await readSide.marks()).get(status.run);
    return { status, marks, hasDaemon: daemon !== undefined };
  });
  if (options.json === true) {
    writeJson(context, status);
    return 0;
  }
  const { terminal } = context;
  const paint = createPaint(terminal.colourOut);
  if (terminal.isOutTty) {
    const { attempts } = status;
    terminal.out(
      `run ${paint.bold(status.run)} ${stateStyle(paint, status.state)(status.state)}, owner ${status.owner}, ${attempts.total} attempts (${attempts.failed} failed, ${attempts.lost} lost)\n${marksText(marks)}\n`,
    );
  }
  writeTable(terminal, status.steps, [
    { title: "step", text: (step) => step.name },
    { title: "state", text: (step) => step.state, style: (step) => stateStyle(paint, step.state) },
    ...(["total", "succeeded", "failed", "reused", "running"] as const).map((name) => ({
      title: name,
      align: "right" as const,
      text: (step: (typeof status.steps)[number]) => String(step.tasks[name]),
    })),
    { title: "peers", text: (step) => peersText(step.peers) },
  ]);
  if (!hasDaemon && status.owner !== LONE_PEER && !hasEnded(status))
    terminal.err("No daemon runs here: this is what it knew last. It may have ended elsewhere.\n");
  if (status.error !== undefined)
    terminal.err(errorText(fromErrorRecord(status.error), terminal.colourErr));
  return 0;
}

/** One line each, where there are any. */
function marksText(marks: RunMarks | undefined): string {
  if (marks === undefined) return "";
  const { tags, note, isPinned } = marks;
  return [
    ...(tags.length === 0 ? [] : [`tags ${tags.join(" ")}\n`]),
    ...(isPinned ? ["pinned\n"] : []),
    ...(note === undefined ? [] : [`note ${oneLine(note)}\n`]),
  ].join("");
}
