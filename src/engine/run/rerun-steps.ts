/** Steps that are asked for by name have to be there: a typo would run nothing again and say nothing. */
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { MfError } from "../../model/errors.ts";

/** @throws MfError STEP_UNKNOWN */
export function refuseUnknownSteps(graph: FlowGraph, steps: readonly string[]): void {
  const names = graph.steps.map(({ name }) => name);
  const unknown = steps.find((step) => !names.includes(step));
  if (unknown === undefined) return;
  throw new MfError("STEP_UNKNOWN", {
    flow: graph.name,
    step: unknown,
    hint: `It has: ${names.join(", ")}.`,
  });
}
