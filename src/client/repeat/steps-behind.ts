/** Which steps `--from STEP` means: that step and everything that waits for it. */
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { parentsOf, stepNamed } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";

/** In order of declaration, which is topological: one pass finds them all. @throws MfError STEP_UNKNOWN */
export function stepsFrom(graph: FlowGraph, step: string): string[] {
  requireStep(graph, step);
  const found = new Set([step]);
  for (const item of graph.steps)
    if (parentsOf(graph, item).some((parent) => found.has(parent))) found.add(item.name);
  return [...found];
}

/** @throws MfError STEP_UNKNOWN */
function requireStep(graph: FlowGraph, step: string): void {
  if (stepNamed(graph, step) !== undefined) return;
  const names = graph.steps.map(({ name }) => name).join(", ");
  throw new MfError("STEP_UNKNOWN", { flow: graph.name, step, hint: `It has: ${names}.` });
}
