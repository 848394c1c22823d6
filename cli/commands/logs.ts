/**
 * `mf logs`: what steps printed, merged by time: of every peer that ran part of the run where a daemon answers, else of this machine,
 * whose logs are plain files that workers append to. JSON: one object a line: {"at","step","index","attempt","stream","text"}, and
 * "peer" where there is a daemon.
 */
import type { DaemonSide, LogLine } from "../../src/client/control/daemon-side.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { LineJoiner, loggedSteps, readLogPage, type StepLine } from "../../src/client/run-logs.ts";
import { delay } from "../../src/env/clock.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import { runText, taskText } from "../../src/model/ids.ts";
import type { StepStatus } from "../../src/client/runs.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { daemonAgain } from "../reconnect.ts";
import { EXIT_INTERRUPTED, listenForInterrupt } from "../interrupt.ts";
import { LogWriter } from "../output/log-writer.ts";
import { createPaint } from "../output/paint.ts";
import { flushStreams } from "../output/terminal.ts";

export interface LogsOptions extends CommonOptions {
  readonly follow?: boolean;
  readonly stderr?: boolean;
  readonly tail?: number;
  readonly since?: number;
}

interface Target {
  readonly run: string;
  readonly step?: string;
  readonly index?: readonly number[];
}

/** A line, and the peer that printed it where a daemon told. */
type ShownLine = StepLine & { readonly peer?: string };

interface FoundRun {
  readonly summary: RunSummary;
  readonly steps: readonly StepStatus[];
  /** True where a daemon has told the lines already. */
  readonly isTold: boolean;
}

const FOLLOW_INTERVAL_MS = 250;
const PAGE_BYTES = 1024 * 1024;
const PAGE_RECORDS = 16_384;

export async function logsCommand(
  context: CommandContext,
  pathspec: string,
  options: LogsOptions,
): Promise<number> {
  const target = parseTarget(pathspec);
  const since = options.since === undefined ? 0 : context.clock.now() - options.since;
  const writer = new LogWriter<ShownLine>({
    isWanted: (line) => line.at >= since && (options.stderr !== true || line.stream === "err"),
    write: (line) => writeLine(context, line, options),
    tail: options.tail,
  });
  let found: FoundRun;
  try {
    found = await withReadSide(context, async (readSide, daemon) => {
      const summary = await readSide.run(target.run);
      // From here on this run is meant, whatever `latest` or a tag come to name.
      const { steps } = await readSide.status(runText(summary.run));
      checkStep(pathspec, target, steps);
      if (daemon === undefined) return { summary, steps, isTold: false };
      const exact = { ...target, run: runText(summary.run) };
      await tellFromDaemon(context, { daemon, target: exact, writer }, options);
      return { summary, steps, isTold: true };
    });
  } catch (error) {
    if (options.follow === true && isMfError(error, "INTERRUPTED")) return EXIT_INTERRUPTED;
    throw error;
  }
  if (!found.isTold) await tellFromFiles(context, { target, found, writer }, options);
  if (writer.isSilent && options.json !== true && options.follow !== true)
    tellWhereReused(context, target, found.steps);
  return 0;
}

function checkStep(pathspec: string, target: Target, steps: readonly StepStatus[]): void {
  const names = steps.map((step) => step.name);
  if (target.step === undefined || names.includes(target.step)) return;
  throw new MfError("PATHSPEC_NOT_FOUND", {
    pathspec,
    reason: `the run has no step "${target.step}"`,
    hint: `Its steps: ${names.join(", ")}.`,
  });
}

interface Telling {
  readonly daemon: DaemonSide;
  readonly target: Target;
  readonly writer: LogWriter<ShownLine>;
}

/** While it follows, a daemon that ends is waited for: what was told is not told again. */
async function tellFromDaemon(
  context: CommandContext,
  { daemon, target, writer }: Telling,
  { follow = false }: LogsOptions,
): Promise<void> {
  const interrupt = listenForInterrupt();
  const stop = new AbortController();
  interrupt.onAsked(() => stop.abort());
  const untold = new UntoldLines();
  const take = async (lines: readonly LogLine[]): Promise<void> => {
    if (lines.length === 0) writer.endFirst();
    else writer.add(untold.of(lines).map(shownLine));
    // A pipe that is read slowly slows the peers down; nothing piles up here.
    await flushStreams();
  };
  let side = daemon;
  let closeOwn = (): void => undefined;
  try {
    for (;;) {
      try {
        await side.logs({ ...target, follow }, take, stop.signal);
        return writer.endFirst();
      } catch (error) {
        if (!follow || !isMfError(error, "CONTROL_LOST")) throw error;
        context.terminal.err("the daemon of this home ended; waiting until it is back\n");
        const again = await daemonAgain(context, stop.signal);
        if (again === undefined) throw stop.signal.aborted ? new MfError("INTERRUPTED") : error;
        closeOwn();
        ({ side } = again);
        closeOwn = () => again.close();
        untold.startOver();
      }
    }
  } finally {
    closeOwn();
    interrupt.stop();
  }
}

/** Another daemon tells a run's lines from the first on. Those of one attempt come in order, so counting them is enough. */
class UntoldLines {
  readonly #told = new Map<string, number>();
  #heard = new Map<string, number>();

  startOver(): void {
    this.#heard = new Map();
  }

  of(lines: readonly LogLine[]): LogLine[] {
    return lines.filter(({ peer, step, index, attempt, stream }) => {
      const source = `${peer} ${taskText({ step, index })} ${attempt} ${stream}`;
      const heard = (this.#heard.get(source) ?? 0) + 1;
      this.#heard.set(source, heard);
      if (heard <= (this.#told.get(source) ?? 0)) return false;
      this.#told.set(source, heard);
      return true;
    });
  }
}

function shownLine({ stream, ...line }: LogLine): ShownLine {
  return { ...line, stream: stream === "stderr" ? "err" : "out" };
}

interface LocalLogs {
  readonly target: Target;
  readonly found: FoundRun;
  readonly writer: LogWriter<ShownLine>;
}

async function tellFromFiles(
  context: CommandContext,
  { target, found, writer }: LocalLogs,
  options: LogsOptions,
): Promise<void> {
  const { summary } = found;
  const files = new Map<string, FileState>();
  const readNew = async (): Promise<void> =>
    writer.add(await newLines(context, { target, summary, files }));
  await readNew();
  writer.endFirst();
  let isOver = hasEnded(summary);
  while (options.follow === true && !isOver) {
    await delay(context.clock, FOLLOW_INTERVAL_MS);
    // The state first: what was printed before the run ended is then read below.
    const run = runText(summary.run);
    isOver = hasEnded(await withReadSide(context, (readSide) => readSide.run(run)));
    await readNew();
  }
  writer.add([...files.values()].flatMap((file) => file.joiner.end()));
}

interface FileState {
  from: number;
  readonly joiner: LineJoiner;
}

interface LocalFiles {
  readonly target: Target;
  readonly summary: RunSummary;
  /** Where each step's file was read to, and the lines of it that have no end yet. */
  readonly files: Map<string, FileState>;
}

async function newLines(
  { home }: CommandContext,
  { target, summary, files }: LocalFiles,
): Promise<StepLine[]> {
  const lines: StepLine[] = [];
  for (const step of await loggedSteps(home, summary.run)) {
    if (target.step !== undefined && step !== target.step) continue;
    const file = files.get(step) ?? { from: 0, joiner: new LineJoiner(step) };
    files.set(step, file);
    for (let isEnd = false; !isEnd;) {
      const page = await readLogPage(home, summary.run, {
        step,
        from: file.from,
        bytesMax: PAGE_BYTES,
        recordsMax: PAGE_RECORDS,
        ...(target.index === undefined ? {} : { index: target.index }),
      });
      file.from = page.next;
      isEnd = page.isEnd;
      for (const record of page.records) {
        const line = file.joiner.add(record);
        if (line !== undefined) lines.push(line);
      }
    }
  }
  return lines.sort((a, b) => a.at - b.at);
}

/** A reused task printed in the run that made it, and in no other. */
function tellWhereReused(
  context: CommandContext,
  target: Target,
  steps: readonly StepStatus[],
): void {
  const reused = steps.find(
    ({ name, tasks }) => (target.step === undefined || name === target.step) && tasks.reused > 0,
  );
  if (reused === undefined) return;
  const artifact = `${target.run.split("/", 1)[0] ?? ""}/${reused.name}`;
  context.terminal.err(
    `Nothing was printed in this run. Step ${reused.name} was reused: \`mf ls-versions ${artifact}\` names the run that made it.\n`,
  );
}

/** flow/run[/step[index]] */
function parseTarget(text: string): Target {
  const match = /^([^/]+\/[^/]+)(?:\/([^/[\]]+)(?:\[(\d+(?:,\d+)*)\])?)?$/.exec(text);
  const [, run, step, index] = match ?? [];
  if (run === undefined)
    throw new MfError("PATHSPEC_INVALID", {
      text,
      reason: "logs belong to a run, a step or a task: flow/run[/step[i]]",
    });
  return {
    run,
    ...(step === undefined ? {} : { step }),
    ...(index === undefined ? {} : { index: index.split(",").map(Number) }),
  };
}

function writeLine(context: CommandContext, line: ShownLine, options: LogsOptions): void {
  if (options.json === true) {
    const { at, step, index, attempt, stream, text, peer } = line;
    const from = peer === undefined ? {} : { peer };
    writeJson(context, { at, step, index, attempt, stream, text, ...from });
    return;
  }
  const paint = createPaint(context.terminal.colourOut);
  const attempt = line.attempt === 0 ? "" : ` (attempt ${line.attempt})`;
  const peer = line.peer === undefined ? "" : `${line.peer} `;
  const name = paint.dim(`${peer}${taskText(line)}${attempt}`);
  context.terminal.out(`${name}  ${line.stream === "err" ? paint.yellow(line.text) : line.text}\n`);
}
