/** A plan in words: one sentence a step, and everything about one step for whoever asks why. */
import { fromErrorRecord } from "../../model/errors.ts";
import { reasonLines, reasonsText, spanText } from "../explain/reason-words.ts";
import type { RunPlan, StepForecast, TaskGroup } from "./run-plan.ts";

/** Groups told in the one sentence of a step. */
const GROUPS_TOLD_MAX = 2;
/** Tasks named where one asks why. */
const INDEXES_TOLD_MAX = 12;

/** Why the step does what it does; "" where all of it is known. */
export function stepSentence(step: StepForecast, now: number): string {
  if (step.error !== undefined) return fromErrorRecord(step.error).message;
  if (step.state === "skipped") return "its arm of the switch is not chosen";
  const sentences = step.groups
    .slice(0, GROUPS_TOLD_MAX)
    .map((group) => groupText(step, group, now));
  const rest = step.groups.length - sentences.length;
  if (rest > 0) sentences.push(`${rest} other ${rest === 1 ? "reason" : "reasons"}`);
  if (step.unexplained > 0) sentences.push(`${step.unexplained} more run`);
  if (isUndecided(step)) sentences.push(undecidedText(step));
  return sentences.join("; ");
}

function isUndecided({ state, tasks, groups, isPredicted }: StepForecast): boolean {
  const isCertain = groups.some(({ indexes }) => indexes.length === 0);
  if (isCertain) return false;
  return tasks.unknown > 0 || state === "waits" || isPredicted;
}

function undecidedText({ waitsFor, tasks, state }: StepForecast): string {
  const who = listText(waitsFor);
  const comes = waitsFor.length === 1 ? "comes" : "come";
  const what = state === "waits" ? "runs" : `${tasks.unknown} more run`;
  return who === ""
    ? `${what} after what is before it`
    : `${what} unless ${who} ${comes} to the same`;
}

function groupText(step: StepForecast, group: TaskGroup, now: number): string {
  const why = reasonsText(group.reasons, { step: step.name, now });
  if (group.indexes.length === 0) return `${lateText(step)}: ${why}`;
  const total = step.tasks.reused + step.tasks.runs + step.tasks.unknown;
  if (total === 1 && !step.isPredicted) return why;
  return `${group.count} of ${total} ${group.count === 1 ? "runs" : "run"}: ${why}`;
}

/** When tasks run whose inputs are not there yet. */
function lateText({ waitsFor, arms }: StepForecast): string {
  const after = waitsFor.length === 0 ? "" : `after ${listText(waitsFor)}`;
  const chosen = arms.map((arm) => `${arm.switch} chooses ${arm.case}`);
  if (chosen.length === 0) return after;
  return [after, `if ${listText(chosen)}`].filter((part) => part !== "").join(", ");
}

/** Everything about one step, a line each. */
export function stepLines(step: StepForecast, now: number): string[] {
  const lines = [`${step.name}: ${planText(step)}`];
  const sentence = stepSentence(step, now);
  if (step.groups.length === 0 && sentence !== "") lines.push(`  ${sentence}`);
  for (const group of step.groups) {
    const { against, indexes, count } = group;
    const which = indexes.every((index) => index.length === 0)
      ? ""
      : indexesText(step.name, indexes);
    const late =
      indexes.length === 0 ? `${count === 0 ? "" : `${count} `}${lateText(step)}` : which;
    if (late !== "") lines.push(`  ${late}`);
    if (against !== undefined)
      lines.push(
        `  compared with ${against.run}, made ${spanText(now - against.at)} ago on ${against.by}`,
      );
    for (const reason of group.reasons)
      lines.push(...reasonLines(reason, { step: step.name, now }).map((line) => `    ${line}`));
  }
  if (step.groups.length > 0 && isUndecided(step)) lines.push(`  ${undecidedText(step)}`);
  return lines;
}

/** `reused`, `runs`, `1 runs, 6 reused`, `waits`. */
export function planText({ state, tasks, isPredicted }: StepForecast): string {
  if (state === "fails" || state === "skipped" || state === "waits") return state;
  const about = isPredicted ? "~" : "";
  // Nothing to predict from: neither the list nor an earlier run is there.
  if (isPredicted && state === "runs" && tasks.runs === 0) return "runs";
  const parts = [
    ...(tasks.runs > 0 ? [`${about}${tasks.runs} run`] : []),
    ...(tasks.reused > 0 ? [`${tasks.reused} reused`] : []),
    ...(tasks.unknown > 0 ? [`${about}${tasks.unknown} wait`] : []),
  ];
  if (parts.length === 0) return "no tasks";
  return parts.length === 1 && !isPredicted ? state : parts.join(", ");
}

/** `7`, `~6`; `?` where nothing tells. */
export function countText({ tasks, isPredicted }: StepForecast): string {
  const count = tasks.reused + tasks.runs + tasks.unknown;
  if (!isPredicted) return String(count);
  return count === 0 ? "?" : `~${count}`;
}

/** `plan for sweep: 1 reused, 1 to run, about 7 that hang on those; nearest run sweep/k3j9x2m4ab`. */
export function summaryText({ flow, tasks, isExact, nearest, steps }: RunPlan): string {
  const isOpen = steps.some((step) => countText(step) === "?");
  const about = isOpen ? "at least " : steps.some((step) => step.isPredicted) ? "about " : "";
  const failing = steps.find(({ state }) => state === "fails");
  const parts = [
    `${tasks.reused} reused`,
    `${about}${tasks.runs} to run`,
    ...(tasks.unknown === 0 ? [] : [`${tasks.unknown} that hang on those`]),
    ...(failing === undefined ? [] : [`and it would fail at ${failing.name}`]),
  ];
  if (isExact && tasks.runs === 0 && failing === undefined)
    return `${flow}: nothing to do; ${tasks.reused} of ${tasks.reused} tasks are known`;
  const compared = nearest === undefined ? "no earlier run" : `nearest earlier run ${nearest.run}`;
  return `${flow}: ${parts.join(", ")} (${compared})`;
}

function indexesText(step: string, indexes: readonly (readonly number[])[]): string {
  const told = indexes.slice(0, INDEXES_TOLD_MAX).map((index) => `[${index.join(",")}]`);
  const rest = indexes.length - told.length;
  return `${step}${told.join(" ")}${rest === 0 ? "" : ` and ${rest} more`}`;
}

function listText(names: readonly string[]): string {
  if (names.length < 2) return names[0] ?? "";
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}
