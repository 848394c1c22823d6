/** Which steps `--from STEP` means: that step and everything that waits for it. */
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { parentsOf } from "../../graph/queries.ts";
import { refuseUnknownSteps } from "../../engine/run/rerun-steps.ts";

/** In order of declaration, which is topological: one pass finds them all. @throws MfError STEP_UNKNOWN */
export function stepsFrom(graph: FlowGraph, step: string): string[] {
  refuseUnknownSteps(graph, [step]);
  const found = new Set([step]);
  for (const item of graph.steps)
    if (parentsOf(graph, item).some((parent) => found.has(parent))) found.add(item.name);
  return [...found];
}
