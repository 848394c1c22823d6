/**
 * `mf logs`: what steps printed, merged by time. Logs are plain files that workers append to, so only the run's name needs the store.
 * JSON: one object a line: {"at","step","index","attempt","stream","text"}.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { logDirectoryOf } from "../../src/engine/run/log-file.ts";
import { delay } from "../../src/env/clock.ts";
import { MfError } from "../../src/model/errors.ts";
import { taskText } from "../../src/model/ids.ts";
import type { StepStatus } from "../../src/client/runs.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import { readLog } from "../../src/task/read-log.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { createPaint } from "../output/paint.ts";

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

/** A whole line, however many records it was cut into. */
interface StepLine {
  readonly t: number;
  readonly i: string;
  readonly a: number;
  readonly s: "out" | "err";
  readonly m: string;
  readonly step: string;
}

const FOLLOW_INTERVAL_MS = 250;

export async function logsCommand(
  context: CommandContext,
  pathspec: string,
  options: LogsOptions,
): Promise<number> {
  const target = parseTarget(pathspec);
  const { summary, steps } = await findRun(context, target.run);
  const names = steps.map((step) => step.name);
  if (target.step !== undefined && !names.includes(target.step)) {
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec,
      reason: `the run has no step "${target.step}"`,
      hint: `Its steps: ${names.join(", ")}.`,
    });
  }
  const directory = logDirectoryOf(context.home, summary.run);
  const files = new Map<string, FileState>();
  const since = options.since === undefined ? 0 : context.clock.now() - options.since;
  const next = async (): Promise<StepLine[]> => {
    const lines = await readNew(directory, {
      target,
      files,
      ...(options.stderr === true ? { stream: "err" as const } : {}),
    });
    return lines.filter((line) => line.t >= since);
  };
  const first = await next();
  writeLines(
    context,
    options.tail === undefined ? first : first.slice(Math.max(0, first.length - options.tail)),
    options,
  );
  let { state } = summary;
  while (options.follow === true && (state === "running" || state === "waiting")) {
    await delay(context.clock, FOLLOW_INTERVAL_MS);
    // The state first: what was printed before the run ended is then read below.
    state = (await withReadSide(context, (readSide) => readSide.run(target.run))).state;
    writeLines(context, await next(), options);
  }
  const rest = unfinishedLines(files);
  writeLines(context, rest, options);
  if (first.length + rest.length === 0 && options.json !== true && options.follow !== true)
    tellWhereReused(context, target, steps);
  return 0;
}

function findRun(
  context: CommandContext,
  run: string,
): Promise<{ summary: RunSummary; steps: readonly StepStatus[] }> {
  return withReadSide(context, async (readSide) => {
    const summary = await readSide.run(run);
    const { steps } = await readSide.status(run);
    return { summary, steps };
  });
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

interface ReadOptions {
  readonly target: Target;
  /** Where each step's file was read to, and the lines of it that have no end yet. */
  readonly files: Map<string, FileState>;
  readonly stream?: "err";
}

interface FileState {
  from: number;
  /** By task, attempt and stream. */
  readonly open: Map<string, OpenLine>;
}

interface OpenLine {
  readonly line: StepLine;
  readonly pieces: string[];
}

async function readNew(directory: string, options: ReadOptions): Promise<StepLine[]> {
  const { target, files } = options;
  const names = await readdir(directory).catch(() => [] as string[]);
  const lines: StepLine[] = [];
  for (const name of names.filter((entry) => entry.endsWith(".ndjson"))) {
    const step = decodeURIComponent(name.slice(0, -".ndjson".length));
    if (target.step !== undefined && step !== target.step) continue;
    const file = files.get(name) ?? { from: 0, open: new Map<string, OpenLine>() };
    files.set(name, file);
    for await (const record of readLog(join(directory, name), {
      from: file.from,
      ...(target.index === undefined ? {} : { index: target.index }),
      ...(options.stream === undefined ? {} : { stream: options.stream }),
    })) {
      file.from = record.next;
      const key = `${record.i}/${record.a}/${record.s}`;
      const open = file.open.get(key) ?? { line: { ...record, step }, pieces: [] };
      open.pieces.push(record.m);
      if (record.c === true) file.open.set(key, open);
      else {
        file.open.delete(key);
        lines.push(joined(open));
      }
    }
  }
  return lines.sort((a, b) => a.t - b.t);
}

/** What an attempt printed before it was killed may end in the middle of a line. */
function unfinishedLines(files: ReadonlyMap<string, FileState>): StepLine[] {
  return [...files.values()].flatMap((file) => [...file.open.values()].map(joined));
}

function joined({ line, pieces }: OpenLine): StepLine {
  return { ...line, m: pieces.join("") };
}

function writeLines(
  context: CommandContext,
  lines: readonly StepLine[],
  options: LogsOptions,
): void {
  const paint = createPaint(context.terminal.colourOut);
  for (const line of lines) {
    const index = line.i === "" ? [] : line.i.split(",").map(Number);
    if (options.json === true) {
      writeJson(context, {
        at: line.t,
        step: line.step,
        index,
        attempt: line.a,
        stream: line.s,
        text: line.m,
      });
    } else {
      const attempt = line.a === 0 ? "" : ` (attempt ${line.a})`;
      const name = paint.dim(`${taskText({ step: line.step, index })}${attempt}`);
      context.terminal.out(`${name}  ${line.s === "err" ? paint.yellow(line.m) : line.m}\n`);
    }
  }
}
