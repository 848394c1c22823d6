/** Which versions of other runs a flow reads: what its from() name, each once. */
import type { FlowGraph, ValueRef } from "./flow-graph.ts";
import { innerRef, inputRefs } from "./queries.ts";

export function fromPathspecs({ steps, switches }: FlowGraph): string[] {
  const refs: ValueRef[] = [
    ...steps.flatMap((step) => inputRefs(step).map(({ ref }) => ref)),
    ...switches.flatMap(({ on, cases }) => [on, ...Object.values(cases)]),
  ];
  const found = refs.flatMap((ref) => {
    const inner = innerRef(ref);
    return inner.k === "from" ? [inner.pathspec] : [];
  });
  return [...new Set(found)];
}
