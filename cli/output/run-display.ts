/** Shows a run while it goes on: repainted in place on a terminal (at most 10 frames a second), plain lines in a pipe, nothing if quiet. */
import type { RunEvent, RunHandle, StepProgress } from "../../src/engine/run-api.ts";
import type { Clock } from "../../src/env/clock.ts";
import { taskText } from "../../src/model/ids.ts";
import { fromErrorRecord } from "../../src/model/errors.ts";
import { durationText } from "./format.ts";
import { createPaint } from "./paint.ts";
import { countsOf, drawProgressFrame } from "./progress-frame.ts";
import { cut, oneLine } from "./text-width.ts";
import type { Terminal } from "./terminal.ts";

/** What is looked at: a run of this process, or one that is watched from here. */
export interface ShownRun extends Pick<RunHandle, "progress" | "subscribe"> {
  /** A line below the steps; none where it is empty. */
  footer?(): string;
}

export interface RunDisplay {
  /** A line for people that stays above the repainted part. */
  say(line: string): void;
  /** Leaves the last frame and the cursor as a terminal should be. */
  stop(): void;
}

const FRAME_INTERVAL_MS = 100;
/** In a pipe: often enough to see that a long step goes on, too seldom to fill a log. */
const LINES_INTERVAL_MS = 10_000;
const CURSOR_HIDE = "\u001B[?25l";
const CURSOR_SHOW = "\u001B[?25h";

export function showRun(
  handle: ShownRun,
  terminal: Terminal,
  options: { clock: Clock; isQuiet: boolean },
): RunDisplay {
  if (options.isQuiet) return { say: (line) => terminal.err(`${line}\n`), stop: () => undefined };
  if (!terminal.isLive) return showLines(handle, terminal, options.clock);
  return new LiveDisplay(handle, terminal, options.clock);
}

/** One line where a step begins or ends, and now and then one for each step that takes long. */
function showLines(handle: ShownRun, terminal: Terminal, clock: Clock): RunDisplay {
  const say = (line: string): void => terminal.err(`${line}\n`);
  const told = new Set<string>();
  const tellStep = (step: StepProgress): void => {
    told.add(step.name);
    say(stepLine(step));
  };
  const unsubscribe = handle.subscribe((event) => {
    if (event.t === "step-finished") tellStep(event.progress);
    const line = event.t === "attempt-failed" ? retryLine(event) : undefined;
    if (line !== undefined) say(line);
  });
  let cancelTimer = (): void => undefined;
  const tellRunning = (): void => {
    for (const step of handle.progress().steps) if (step.state === "running") say(stepLine(step));
    cancelTimer = clock.after(LINES_INTERVAL_MS, tellRunning, { unref: true });
  };
  cancelTimer = clock.after(LINES_INTERVAL_MS, tellRunning, { unref: true });
  let isStopped = false;
  return {
    say,
    stop() {
      if (isStopped) return;
      isStopped = true;
      cancelTimer();
      unsubscribe();
      for (const step of handle.progress().steps)
        if (!told.has(step.name) && (step.state === "failed" || step.state === "cancelled"))
          tellStep(step);
    },
  };
}

const PEERS_SHOWN_MAX = 12;

/** `ada 220, bob 180`, the busiest first. */
export function peersText(work: Readonly<Record<string, number>>): string {
  const entries = Object.entries(work).sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const shown = entries.slice(0, PEERS_SHOWN_MAX).map(([name, tasks]) => `${name} ${tasks}`);
  if (entries.length > shown.length) shown.push(`${entries.length - shown.length} more`);
  return shown.join(", ");
}

function stepLine(step: StepProgress): string {
  return `${step.state} ${step.name}: ${countsOf(step)}`;
}

/** A failure for good is told at the end, with its frames. */
function retryLine(event: Extract<RunEvent, { t: "attempt-failed" }>): string | undefined {
  if (event.retryInMs === undefined) return undefined;
  const { failure } = event;
  const { message } = fromErrorRecord(failure.error);
  return `attempt ${failure.attempt} of ${taskText(failure)} failed, again in ${durationText(event.retryInMs)}: ${message}`;
}

class LiveDisplay implements RunDisplay {
  readonly #handle: ShownRun;
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #unsubscribe: () => void;
  #cancelTimer: () => void = () => undefined;
  #rowsPainted = 0;
  #tick = 0;
  #isStopped = false;

  constructor(handle: ShownRun, terminal: Terminal, clock: Clock) {
    this.#handle = handle;
    this.#terminal = terminal;
    this.#clock = clock;
    terminal.err(CURSOR_HIDE);
    process.once("exit", this.#showCursor);
    this.#unsubscribe = handle.subscribe((event) => {
      const line = event.t === "attempt-failed" ? retryLine(event) : undefined;
      if (line !== undefined) this.say(line);
    });
    this.#paintAndWait();
  }

  say(line: string): void {
    this.#terminal.err(`${this.#eraser()}${line}\n`);
    this.#rowsPainted = 0;
    if (!this.#isStopped) this.#paint();
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#unsubscribe();
    this.#cancelTimer();
    this.#paint();
    this.#rowsPainted = 0;
    this.#showCursor();
    process.off("exit", this.#showCursor);
  }

  readonly #showCursor = (): void => this.#terminal.err(CURSOR_SHOW);

  readonly #paintAndWait = (): void => {
    this.#paint();
    this.#cancelTimer = this.#clock.after(FRAME_INTERVAL_MS, this.#paintAndWait, { unref: true });
  };

  #paint(): void {
    const { width, rows, colourErr } = this.#terminal;
    const lines = drawProgressFrame(this.#handle.progress(), {
      width: width(),
      rows: rows(),
      colour: colourErr,
      tick: this.#tick,
    });
    const footer = this.#handle.footer?.() ?? "";
    if (footer !== "") lines.push(createPaint(colourErr).dim(cut(oneLine(footer), width() - 1)));
    this.#tick += 1;
    this.#terminal.err(`${this.#eraser()}${lines.map((line) => `${line}\n`).join("")}`);
    this.#rowsPainted = lines.length;
  }

  /** Back to where the frame began, and everything below it gone. */
  #eraser(): string {
    return this.#rowsPainted === 0 ? "" : `\u001B[${this.#rowsPainted}A\r\u001B[J`;
  }
}
