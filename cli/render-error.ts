/**
 * How an error looks. On a terminal: `error CODE: cause`, what is listed with it (type errors, graph problems: all of them), the
 * user's frames, the next step. With --json: {"error":{"code","message","remedy"}} and, where there are some, "problems".
 */
import process from "node:process";
import { fromErrorRecord, isMfError, type MfError, toErrorRecord } from "../src/model/errors.ts";
import { taskText } from "../src/model/ids.ts";
import type { TaskFailure } from "../src/engine/run-api.ts";
import { createPaint, type Paint } from "./output/paint.ts";

/** One entry of a list that comes with an error. */
interface Problem {
  readonly code?: string | number;
  readonly message?: string;
  readonly remedy?: string;
  readonly step?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly at?: string;
}

export function asMfError(error: unknown): MfError {
  return isMfError(error) ? error : fromErrorRecord(toErrorRecord(error));
}

export function errorJson(error: MfError): string {
  const problems = problemsOf(error);
  const { code, message, remedy } = error;
  const list = problems.length === 0 ? {} : { problems };
  return `${JSON.stringify({ error: { code, message, remedy, ...list } })}\n`;
}

export function errorText(error: MfError, colour: boolean): string {
  const paint = createPaint(colour);
  const lines = [headline(error.code, error.message, paint)];
  for (const problem of problemsOf(error)) lines.push(...problemLines(problem, paint));
  if (process.env["MF_DEBUG"] === "1" && error.stack !== undefined)
    lines.push(paint.dim(error.stack));
  if (!/^(\{\w+\}|undefined)?$/.test(error.remedy)) lines.push(`  ${error.remedy}`);
  return `${lines.join("\n")}\n`;
}

function headline(code: string, message: string, paint: Paint): string {
  return `${paint.red(paint.bold(`error ${code}:`))} ${message}`;
}

function problemsOf(error: MfError): readonly Problem[] {
  const problems = error.details["problems"];
  return Array.isArray(problems) ? (problems as Problem[]) : [];
}

function problemLines(problem: Problem, paint: Paint): string[] {
  const place = placeOf(problem);
  const code = problem.code === undefined ? "" : ` ${paint.yellow(codeText(problem.code))}`;
  const lines = [`  ${place === "" ? "-" : paint.cyan(place)}${code} ${problem.message ?? ""}`];
  if (problem.remedy !== undefined && problem.remedy !== "")
    lines.push(paint.dim(`      ${problem.remedy}`));
  return lines;
}

/** TypeScript's codes are numbers. */
function codeText(code: string | number): string {
  return typeof code === "number" ? `TS${code}` : code;
}

function placeOf(problem: Problem): string {
  if (problem.file !== undefined) {
    const line = problem.line === undefined ? "" : `:${problem.line}`;
    const column = problem.column === undefined ? "" : `:${problem.column}`;
    return `${shortPath(problem.file)}${line}${column}`;
  }
  return problem.at ?? problem.step ?? "";
}

/** Relative to where the user is, if it is below. */
function shortPath(file: string): string {
  const here = `${process.cwd()}/`;
  return file.startsWith(here) ? file.slice(here.length) : file;
}

const FRAMES_SHOWN_MAX = 12;

/** A task that failed for good: the user's frames first, then where its log is. */
export function failureText(run: string, failure: TaskFailure, colour: boolean): string {
  const paint = createPaint(colour);
  const error = fromErrorRecord(failure.error);
  const task = taskText({ step: failure.step, index: failure.index });
  const attempts = failure.attempt > 0 ? ` (attempt ${failure.attempt})` : "";
  const lines = [
    headline(error.code, `step ${paint.bold(task)}${attempts}: ${error.message}`, paint),
  ];
  lines.push(...framesOf(failure.error.stack, error.message).map((line) => paint.dim(line)));
  lines.push(`  ${error.remedy}`, `  Its log: mf logs ${run}/${task}`);
  return `${lines.join("\n")}\n`;
}

/** The stack's frames without the head line that repeats the message. A Python traceback has no `at`; it is shown as it is. */
function framesOf(stack: string | undefined, message: string): string[] {
  if (stack === undefined) return [];
  const lines = stack.split("\n");
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  const frames =
    first === -1 ? lines.filter((line) => line.trim() !== message.trim()) : lines.slice(first);
  const shown = frames.slice(0, FRAMES_SHOWN_MAX).map((line) => `    ${line.trim()}`);
  if (frames.length > FRAMES_SHOWN_MAX)
    shown.push(`    … ${frames.length - FRAMES_SHOWN_MAX} more`);
  return shown.filter((line) => line.trim() !== "");
}
