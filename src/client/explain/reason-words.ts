/** Reasons in words: one sentence for a table, and all of it line by line for whoever asked why. */
import { codeChangesText, codeChangeText } from "./code-words.ts";
import type { CodeChange } from "./code-diff.ts";
import { plainLine, shortText } from "./plain-text.ts";
import type { EnvironmentChange, InputReason, Reason, VersionMade } from "./reasons.ts";

/** Lines of code shown of one change. */
const CODE_LINES_MAX = 40;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export interface Wording {
  readonly step: string;
  /** To say how long ago something was. */
  readonly now: number;
}

/** Everything that differs, joined; the first of each kind in full. */
export function reasonsText(reasons: readonly Reason[], wording: Wording): string {
  return reasons.map((reason) => reasonText(reason, wording)).join("; ");
}

export function reasonText(reason: Reason, wording: Wording): string {
  return plainLine(rawText(reason, wording));
}

function rawText(reason: Reason, wording: Wording): string {
  const { step, now } = wording;
  switch (reason.k) {
    case "first":
      return firstText(reason, step);
    case "code":
      return codeChangesText(reason.changes, step);
    case "parameter":
      return parameterText(reason);
    case "input":
      return inputText(reason, wording);
    case "wiring":
      return wiringText(reason);
    case "version":
      return `${reason.pathspec} is another version: ${versionText(reason.before)} -> ${versionText(reason.after)}`;
    case "source":
      return `source ${reason.name} changed: ${idText(reason.before)} -> ${idText(reason.after)}`;
    case "environment":
      return `environment: ${reason.changes.map(environmentText).join(", ")}`;
    case "seed":
      return `seed: ${reason.before} -> ${reason.after}`;
    case "salt":
      return `cache salt: ${quoted(reason.before)} -> ${quoted(reason.after)}`;
    case "cache-off":
      return "cache: false, it runs every time";
    case "asked":
      return `${reason.option} was asked for`;
    case "expired": {
      const over = now - reason.madeAt - reason.ttlMs;
      return `its result is ${spanText(now - reason.madeAt)} old, ttl ${spanText(reason.ttlMs)} (expired ${spanText(over)} ago)`;
    }
    case "gone":
      return `its result is known, but no peer has ${reason.artifacts.join(", ")} any more`;
    case "forgotten":
      return "it ran before, but its result has been removed";
  }
}

/** Lines to be indented under what they explain. */
export function reasonLines(reason: Reason, wording: Wording): string[] {
  const { step } = wording;
  if (reason.k === "code" && reason.changes.length > 0)
    return reason.changes.flatMap((change) => [
      plainLine(codeChangeText(change, step)),
      ...diffText(change),
    ]);
  if (reason.k !== "input") return [reasonText(reason, wording)];
  const head = inputText({ ...reason, ...withoutCause(reason) }, wording);
  const change = idsText(reason.before, reason.after);
  const ids = change === "" ? [] : [`  ${change}`];
  const { maker } = reason;
  if (maker === undefined) return [head, ...ids];
  const where = maker.run === "" ? "" : ` of ${maker.run}`;
  const below = { ...wording, step: stepOf(maker.task) };
  const cause =
    maker.because.length === 0
      ? ["it is not repeatable: the same inputs came to something else"]
      : maker.because.flatMap((item) => reasonLines(item, below));
  const made = `  by ${maker.task}${where} on ${maker.by}, ${spanText(wording.now - maker.at)} ago, because`;
  return [head, ...ids, made, ...cause.map((line) => `    ${line}`)];
}

function withoutCause(reason: InputReason): { readonly maker?: never } {
  const { maker: _, ...rest } = reason;
  return rest as { readonly maker?: never };
}

function firstText({ of, count }: Extract<Reason, { k: "first" }>, step: string): string {
  if (of === "flow") return "never run before";
  if (of === "step") return `${step} has never run before`;
  return count === undefined
    ? "this element has never run before"
    : `new element (${count} before)`;
}

function parameterText({ name, before, after }: Extract<Reason, { k: "parameter" }>): string {
  if (before === undefined) return `parameter ${name} is new: ${shortText(after ?? "")}`;
  if (after === undefined) return `parameter ${name} is gone`;
  if (before === after) return `parameter ${name}: content of ${shortText(after)} changed`;
  return `parameter ${name}: ${shortText(before)} -> ${shortText(after)}`;
}

function wiringText({ input, before, after }: Extract<Reason, { k: "wiring" }>): string {
  if (before === undefined) return `input ${input} is new: ${after ?? "?"}`;
  if (after === undefined) return `input ${input} is gone`;
  return `input ${input}: ${before} -> ${after}`;
}

function inputText(
  { source, counts, maker, before, after }: InputReason,
  wording: Wording,
): string {
  const what = countsText(source, counts);
  if (maker !== undefined) {
    const below = { ...wording, step: stepOf(maker.task) };
    return maker.because.length === 0
      ? `${what} because ${maker.task} is not repeatable`
      : `${what} because ${maker.task} ran with ${reasonsText(maker.because, below)}`;
  }
  const change = counts === undefined ? idsText(before, after) : "";
  return change === "" ? what : `${what}: ${change}`;
}

function countsText(source: string, counts: InputReason["counts"]): string {
  if (counts === undefined) return `${source} changed`;
  if (counts.before !== counts.after)
    return `${source} has ${counts.after} elements instead of ${counts.before}`;
  return counts.changed === 0
    ? `${source} changed`
    : `${source} changed (${counts.changed} of ${counts.after})`;
}

function versionText({ id, run, by }: VersionMade): string {
  return run === undefined
    ? idText(id)
    : `${idText(id)} of ${run}${by === undefined ? "" : ` on ${by}`}`;
}

function environmentText({ name, before, after }: EnvironmentChange): string {
  if (before === undefined) return `${name} ${after ?? ""} is new`;
  return after === undefined ? `${name} is gone` : `${name} ${before} -> ${after}`;
}

/** A unified diff of what differs, with the user's lines. */
function diffText({ lines, before, after, how }: CodeChange): string[] {
  // A constant's old and new value say it all; what is only new or gone follows from what has changed.
  if ((before !== undefined && after !== undefined) || how !== "changed") return [];
  const shown = lines.slice(0, CODE_LINES_MAX);
  const width = Math.max(0, ...shown.map(({ line }) => String(line ?? "").length));
  const rest = lines.length - shown.length;
  return [
    ...shown.map(
      ({ sign, text, line }) =>
        `  ${String(line ?? "").padStart(width)} ${sign} ${plainLine(text)}`,
    ),
    ...(rest === 0 ? [] : [`  … ${rest} more lines`]),
  ];
}

/** Ids begin alike: the first letters, and the last, which tell them apart. Of what has no content of its own (an object of several): "". */
export function idText(id: string): string {
  if (id.includes(":")) return "";
  const [content = "", ...path] = id.split("/");
  const short_ = content.length <= 14 ? content : `${content.slice(0, 4)}…${content.slice(-4)}`;
  return [short_, ...path].join(".");
}

/** ` -> ` between two ids; "" where there is nothing to show. */
function idsText(before: string, after: string): string {
  const [a, b] = [idText(before), idText(after)];
  return a === "" || b === "" ? "" : `${a} -> ${b}`;
}

function stepOf(task: string): string {
  return task.split("[")[0] ?? task;
}

function quoted(text: string): string {
  return text === "" ? "none" : shortText(text);
}

export function spanText(ms: number): string {
  if (ms > 0 && ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${Math.max(0, Math.round(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.round(ms / MINUTE)} min`;
  return ms < DAY ? `${Math.round(ms / HOUR)} h` : `${Math.round(ms / DAY)} d`;
}
