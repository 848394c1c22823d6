/**
 * A run that was executed again against its origin: per artifact identical, different or not comparable, and the first step that
 * diverged. Pure: what each run made comes in as facts. A step *diverged itself* where the same task (same code, inputs, environment,
 * seed: one memo key) came to something else; what lies behind it differs because its inputs do.
 */
import { compareIndex } from "../../engine/lookup/run-outputs.ts";
import type { FlowGraph } from "../../graph/flow-graph.ts";
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import { taskText } from "../../model/ids.ts";

/** A task as one of the two runs has it; `fact` undefined: it succeeded, and what it made is stored nowhere that can be asked. */
export interface MadeTask {
  readonly step: string;
  readonly index: readonly number[];
  readonly fact: Fact | undefined;
}

export interface MadeRun {
  readonly tasks: readonly MadeTask[];
  /** Tasks that failed for good -> why. */
  readonly failed: ReadonlyMap<string, string>;
}

export type Verdict = "identical" | "different" | "incomparable";

/** An artifact, or (no `artifact`) a whole task, that is not identical. */
export interface Finding {
  readonly step: string;
  readonly index: readonly number[];
  readonly artifact?: string;
  readonly verdict: Exclude<Verdict, "identical">;
  /** For people, in half a sentence. */
  readonly why: string;
  /** The same inputs came to something else: here, and not in a step before it. */
  readonly isOwn: boolean;
  readonly before?: ArtifactRef;
  readonly after?: ArtifactRef;
}

export interface Comparison {
  /** Artifacts; a task that is not comparable as a whole counts once for each artifact it has. */
  readonly counts: Readonly<Record<Verdict, number>>;
  /** In the order of the flow, then by index. */
  readonly findings: readonly Finding[];
  /** Steps that diverged themselves, in the order of the flow. */
  readonly diverged: readonly string[];
  readonly first: Finding | undefined;
}

const OWN = "the same inputs gave another value";
const BEHIND = "its inputs differ";

export function compareRuns(graph: FlowGraph, before: MadeRun, after: MadeRun): Comparison {
  const again = new Map(after.tasks.map((task) => [taskText(task), task]));
  const known = new Set(before.tasks.map(taskText));
  const counts = { identical: 0, different: 0, incomparable: 0 };
  const findings: Finding[] = [];
  const incomparable = (task: MadeTask, why: string): void => {
    findings.push({ ...placeOf(task), verdict: "incomparable", why, isOwn: false });
    counts.incomparable += Math.max(1, Object.keys(task.fact?.outputs ?? {}).length);
  };
  for (const task of before.tasks) {
    const other = again.get(taskText(task));
    if (task.fact === undefined) incomparable(task, "what the origin made is stored nowhere");
    else if (other === undefined) incomparable(task, whyMissing(task, after.failed));
    else if (other.fact === undefined) incomparable(task, "what it made this time is not stored");
    else {
      const found = compareFacts(task, task.fact, other.fact);
      findings.push(...found.findings);
      counts.identical += found.identical;
      for (const { verdict } of found.findings) counts[verdict]++;
    }
  }
  for (const task of after.tasks)
    if (!known.has(taskText(task))) incomparable(task, "the origin has no such task");
  sortByFlow(findings, graph);
  const own = findings.filter(({ isOwn }) => isOwn);
  return {
    counts,
    findings,
    diverged: [...new Set(own.map(({ step }) => step))],
    first: own[0] ?? findings.find(({ verdict }) => verdict === "different") ?? findings[0],
  };
}

function whyMissing(task: MadeTask, failed: MadeRun["failed"]): string {
  const reason = failed.get(taskText(task));
  return reason === undefined ? "it did not run this time" : `it failed this time: ${reason}`;
}

/** One finding for each artifact that is not the same content. */
function compareFacts(
  task: MadeTask,
  before: Fact,
  after: Fact,
): { readonly identical: number; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const isSameTask = before.memoKey === after.memoKey;
  const names = [...new Set([...Object.keys(before.outputs), ...Object.keys(after.outputs)])];
  for (const artifact of names) {
    const then = outputOf(before, artifact);
    const now = outputOf(after, artifact);
    if (then?.id === now?.id) continue;
    const isOtherPlace = before.env !== after.env;
    findings.push({
      ...placeOf(task),
      artifact,
      verdict: isOtherPlace ? "incomparable" : "different",
      why: isOtherPlace ? otherEnvironment(before, after) : isSameTask ? OWN : BEHIND,
      isOwn: isSameTask,
      ...(then === undefined ? {} : { before: then }),
      ...(now === undefined ? {} : { after: now }),
    });
  }
  return { identical: names.length - findings.length, findings };
}

function otherEnvironment({ env: before }: Fact, { env: after }: Fact): string {
  const then = before.split(" ");
  const now = after.split(" ");
  const gone = then.filter((item) => !now.includes(item)).join(" ");
  const come = now.filter((item) => !then.includes(item)).join(" ");
  return `made by another environment: ${gone || "none"} then, ${come || "none"} now`;
}

function outputOf({ outputs }: Fact, name: string): ArtifactRef | undefined {
  return Object.hasOwn(outputs, name) ? outputs[name] : undefined;
}

function placeOf({ step, index }: MadeTask): Pick<Finding, "step" | "index"> {
  return { step, index };
}

function sortByFlow(findings: Finding[], graph: FlowGraph): void {
  const order = new Map(graph.steps.map(({ name }, position) => [name, position]));
  const place = ({ step }: Finding): number => order.get(step) ?? order.size;
  findings.sort((a, b) => place(a) - place(b) || compareIndex(a.index, b.index));
}
