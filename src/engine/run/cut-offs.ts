/**
 * Early cut-off, told: a step was executed, and everything that reads it was reused, so it came to what was known before. What a task is
 * depends on its inputs' content, never on who made them, so nothing behind such a step has to run.
 */
import { parentsOf } from "../../graph/queries.ts";
import type { FlowGraph, StepDeclaration } from "../../graph/flow-graph.ts";
import type { CutOff } from "../run-api.ts";

/** What became of a step's tasks. */
export interface StepWork {
  readonly total: number;
  readonly executed: number;
  readonly reused: number;
}

/** In order of declaration. Of a step that nothing reads nothing can be told. */
export function cutOffs(
  graph: Pick<FlowGraph, "steps" | "switches">,
  workOf: (step: string) => StepWork,
): CutOff[] {
  const readers = readersOf(graph);
  const isReused = (step: string): boolean => {
    const { total, reused } = workOf(step);
    return total > 0 && reused === total;
  };
  return graph.steps.flatMap(({ name }) => {
    if (workOf(name).executed === 0) return [];
    // What was skipped says nothing.
    const direct = (readers.get(name) ?? []).filter((step) => workOf(step).total > 0);
    if (direct.length === 0 || !direct.every(isReused)) return [];
    const behind = new Set<string>();
    const visit = (step: string): void => {
      if (behind.has(step) || !isReused(step)) return;
      behind.add(step);
      for (const next of readers.get(step) ?? []) visit(next);
    };
    for (const step of direct) visit(step);
    const reused = [...behind].reduce((sum, step) => sum + workOf(step).reused, 0);
    return [{ step: name, reused }];
  });
}

function readersOf(graph: Pick<FlowGraph, "steps" | "switches">): Map<string, string[]> {
  const whole = { name: "", params: [], ...graph };
  const readers = new Map<string, string[]>();
  const note = (parent: string, step: StepDeclaration): void => {
    const list = readers.get(parent);
    if (list === undefined) readers.set(parent, [step.name]);
    else list.push(step.name);
  };
  for (const step of graph.steps) for (const parent of parentsOf(whole, step)) note(parent, step);
  return readers;
}
