/** A run's progress as lines: one a step. Pure: given the progress, a width and a tick it gives text, so that tests can look at it. */
import type { RunProgress, StepProgress } from "../../src/engine/run-api.ts";
import { durationText } from "./format.ts";
import { createPaint, stateStyle } from "./paint.ts";
import { cut, oneLine, padRight, widthOf } from "./text-width.ts";

export interface FrameOptions {
  readonly width: number;
  readonly rows: number;
  readonly colour: boolean;
  /** Counts frames: turns the spinner. */
  readonly tick: number;
}

const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const BAR_WIDTH = 16;
const NAME_WIDTH_MAX = 28;

export function drawProgressFrame(progress: RunProgress, options: FrameOptions): string[] {
  // The last row stays free, or the terminal would scroll at each repaint; one is for what is shown below the steps.
  const shown = chooseSteps(progress.steps, Math.max(1, options.rows - 4));
  const nameWidth = Math.min(
    NAME_WIDTH_MAX,
    Math.max(0, ...shown.map((step) => widthOf(step.name))),
  );
  const lines = shown.map((step) => stepLine(step, nameWidth, options));
  const hidden = progress.steps.length - shown.length;
  if (hidden > 0)
    lines.push(createPaint(options.colour).dim(cut(`  … ${hidden} more steps`, options.width - 1)));
  return lines;
}

/** What moves or failed comes first where there is no room for all; the order of the flow is kept. */
function chooseSteps(steps: readonly StepProgress[], max: number): readonly StepProgress[] {
  if (steps.length <= max) return steps;
  const rank = { failed: 0, running: 0, cancelled: 1, waiting: 2, succeeded: 3, skipped: 4 };
  const kept = new Set([...steps].sort((a, b) => rank[a.state] - rank[b.state]).slice(0, max));
  return steps.filter((step) => kept.has(step));
}

function stepLine(step: StepProgress, nameWidth: number, options: FrameOptions): string {
  const paint = createPaint(options.colour);
  const style = stateStyle(paint, step.state);
  const mark = markOf(step, options.tick);
  const name = padRight(cut(oneLine(step.name), nameWidth), nameWidth);
  const rest = `  ${barOf(step)}  ${countsOf(step)}`;
  // Cut first, colour then: codes have no width.
  const plain = cut(`${name}${rest}`, Math.max(1, options.width - 3));
  return `${style(mark)} ${paint.bold(plain.slice(0, name.length))}${plain.slice(name.length)}`;
}

function markOf(step: StepProgress, tick: number): string {
  switch (step.state) {
    case "succeeded":
      return "✓";
    case "failed":
      return "✗";
    case "cancelled":
      return "■";
    case "skipped":
      return "-";
    case "running":
      return SPINNER[tick % SPINNER.length] ?? "⠋";
    case "waiting":
      return "·";
  }
}

function barOf(step: StepProgress): string {
  const { total = 0 } = step;
  const done = step.succeeded + step.failed + step.running * (step.fraction ?? 0);
  const share = total === 0 ? Number(step.state === "succeeded") : Math.min(1, done / total);
  const full = Math.floor(share * BAR_WIDTH);
  return `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}`;
}

export function countsOf(step: StepProgress): string {
  if (step.state === "skipped") return "skipped";
  const parts = [`${step.succeeded}/${step.total ?? "?"}`];
  if (step.running > 0) parts.push(`${step.running} running`);
  if (step.failed > 0) parts.push(`${step.failed} failed`);
  if (step.reused > 0) parts.push(`${step.reused} reused`);
  if (step.fraction !== undefined && step.running > 0)
    parts.push(`${Math.round(step.fraction * 100)} %`);
  if (step.wallMs > 0) parts.push(durationText(step.wallMs));
  if (step.note !== undefined && step.note !== "") parts.push(oneLine(step.note));
  return parts.join(" · ");
}
