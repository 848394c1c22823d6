/** Questions about a graph, all pure. The engine asks them to expand foreachs and to tell what waits for what. */
import type {
  FlowGraph,
  InputDeclaration,
  StepDeclaration,
  SwitchDeclaration,
  ValueRef,
} from "./flow-graph.ts";

/** The name under which a whole handle stands among a step's inputs. */
export const WHOLE_INPUT = "*";

export interface NamedRef {
  readonly name: string;
  readonly ref: ValueRef;
}

/** A step's inputs by name; one whole handle has the name "*". */
export function inputRefs(step: { readonly inputs: InputDeclaration }): NamedRef[] {
  if ("whole" in step.inputs) return [{ name: WHOLE_INPUT, ref: step.inputs.whole }];
  return Object.entries(step.inputs.fields).map(([name, ref]) => ({ name, ref }));
}

export function stepNamed(graph: FlowGraph, name: string): StepDeclaration | undefined {
  return graph.steps.find((step) => step.name === name);
}

export function switchNamed(graph: FlowGraph, name: string): SwitchDeclaration | undefined {
  return graph.switches.find((item) => item.name === name);
}

/** What is inside each() and collect(); the ref itself if it is neither. */
export function innerRef(ref: ValueRef): ValueRef {
  return ref.k === "each" || ref.k === "collect" ? innerRef(ref.of) : ref;
}

/** The step whose output a ref reads, through each() and collect(); undefined for parameters, constants, versions and switches. */
export function sourceStep(ref: ValueRef): string | undefined {
  const inner = innerRef(ref);
  return inner.k === "out" ? inner.step : undefined;
}

/**
 * Every step whose output a ref may read, through switches too (the value it is chosen by, and each arm's result).
 * Sorted as the graph declares them.
 */
export function sourceSteps(graph: FlowGraph, ref: ValueRef): string[] {
  const found = new Set<string>();
  gatherSources(graph, ref, found);
  return graph.steps.filter((step) => found.has(step.name)).map((step) => step.name);
}

function gatherSources(graph: FlowGraph, ref: ValueRef, found: Set<string>): void {
  const inner = innerRef(ref);
  if (inner.k === "out") found.add(inner.step);
  if (inner.k !== "switch") return;
  const chosen = switchNamed(graph, inner.name);
  if (chosen === undefined) return;
  gatherSources(graph, chosen.on, found);
  for (const result of Object.values(chosen.cases)) gatherSources(graph, result, found);
}

/**
 * The foreach levels a ref's value stands in, outermost first. collect() leaves the innermost; the level that each() opens
 * belongs to the step that reads it, not to the ref.
 */
export function levelsOf(graph: FlowGraph, ref: ValueRef): readonly string[] {
  switch (ref.k) {
    case "out":
      return stepNamed(graph, ref.step)?.levels ?? [];
    case "switch":
      return switchNamed(graph, ref.name)?.levels ?? [];
    case "each":
      return levelsOf(graph, ref.of);
    case "collect":
      return levelsOf(graph, ref.of).slice(0, -1);
    case "param":
    case "const":
    case "from":
    case "source":
      return [];
  }
}

/** The each() refs among a step's inputs, in order: the first varies slowest in the cartesian product. */
export function eachRefs(step: StepDeclaration): NamedRef[] {
  return inputRefs(step).filter((input) => input.ref.k === "each");
}

/** Artifacts of `step` that some each() reads directly: the task cuts them into elements while it has them in memory. */
export function eachOutputs(graph: FlowGraph, step: string): string[] {
  const names = new Set<string>();
  for (const reader of graph.steps) {
    for (const { ref } of eachRefs(reader)) {
      const of = ref.k === "each" ? ref.of : ref;
      const [artifact] = of.k === "out" && of.step === step && of.path.length === 1 ? of.path : [];
      if (artifact !== undefined) names.add(artifact);
    }
  }
  return [...names];
}

/** Steps that must be finished (or skipped) before `step` can start: its inputs' sources and those its arms are chosen by. */
export function parentsOf(graph: FlowGraph, step: StepDeclaration): string[] {
  const found = new Set<string>();
  for (const { ref } of inputRefs(step)) gatherSources(graph, ref, found);
  for (const arm of step.arms) {
    const chosen = switchNamed(graph, arm.switch);
    if (chosen !== undefined) gatherSources(graph, chosen.on, found);
  }
  return graph.steps.filter((item) => found.has(item.name)).map((item) => item.name);
}

/** Steps that wait for `step`, in order of declaration. */
export function childrenOf(graph: FlowGraph, step: string): string[] {
  return graph.steps
    .filter((item) => parentsOf(graph, item).includes(step))
    .map((item) => item.name);
}

/** Steps that no other step reads: their artifacts are what the flow is for. */
export function finalSteps(graph: FlowGraph): string[] {
  const read = new Set(graph.steps.flatMap((step) => parentsOf(graph, step)));
  return graph.steps.filter((step) => !read.has(step.name)).map((step) => step.name);
}

/** Every ref that a step, a switch or an arm's result reads, inside each() and collect(). */
export function innerRefs(graph: FlowGraph): ValueRef[] {
  return [
    ...graph.steps.flatMap((step) => inputRefs(step).map((input) => input.ref)),
    ...graph.switches.flatMap((item) => [item.on, ...Object.values(item.cases)]),
  ].map(innerRef);
}

/** What the flow names outside itself, each once, in the order in which it is read. */
export function sourcesOf(graph: FlowGraph): string[] {
  return [...new Set(innerRefs(graph).flatMap((ref) => (ref.k === "source" ? [ref.spec] : [])))];
}

/** Parameters a step reads: only these enter its identity. "*" stands for all. */
export function paramsOf(graph: FlowGraph, step: StepDeclaration): string[] {
  const names = new Set<string>();
  for (const { ref } of inputRefs(step)) {
    const inner = innerRef(ref);
    if (inner.k === "param") names.add(inner.name);
  }
  return names.has(WHOLE_INPUT) ? graph.params.map((param) => param.name) : [...names];
}

/** `load.lrs`, `each(load.lrs)`, `params.n`: a ref as its author wrote it, for messages and diagrams. */
export function refText(ref: ValueRef): string {
  switch (ref.k) {
    case "param":
      return ref.name === WHOLE_INPUT ? "params" : `params.${ref.name}`;
    case "out":
      return [ref.step, ...ref.path].join(".");
    case "switch":
      return [ref.name, ...ref.path].join(".");
    case "each":
      return `each(${refText(ref.of)})`;
    case "collect":
      return `collect(${refText(ref.of)})`;
    case "const":
      return ref.text;
    case "from":
      return `from('${ref.pathspec}')`;
    case "source":
      return `source('${ref.spec}')`;
  }
}
