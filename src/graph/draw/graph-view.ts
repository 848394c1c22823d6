/**
 * What every form of a diagram shows: boxes and arrows. Parameters are one box, and so is each source; a switch is a box whose arms begin with a
 * dashed arrow, and what is read from a switch comes from the ends of its arms; constants are left out.
 */
import type { FlowGraph, StepDeclaration, SwitchDeclaration, ValueRef } from "../flow-graph.ts";
import {
  WHOLE_INPUT,
  innerRef,
  innerRefs,
  inputRefs,
  sourceStep,
  sourcesOf as sourcesIn,
} from "../queries.ts";

export type BoxKind = "params" | "version" | "source" | "step" | "python" | "switch";
/** plain: one value; each: a list gone through; collect: a list gathered; arm: chosen by a switch. */
export type ArrowKind = "plain" | "each" | "collect" | "arm";

/** Where a step of a run stands. */
export interface StepView {
  readonly state: "waiting" | "running" | "succeeded" | "failed" | "cancelled" | "skipped";
  /** `4/6`. */
  readonly count?: string;
  /** `1.2s`. */
  readonly time?: string;
}

export interface Box {
  readonly id: string;
  readonly kind: BoxKind;
  readonly name: string;
  /** A second, smaller line. */
  readonly note?: string;
  /** Stands in a foreach: many tasks. */
  readonly many: boolean;
  readonly view?: StepView;
}

export interface Arrow {
  readonly source: string;
  readonly target: string;
  readonly label: string;
  readonly kind: ArrowKind;
}

export interface GraphView {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
}

export type StepViews = Readonly<Record<string, StepView>>;

const PARAMS_ID = "params";

export function viewOf(graph: FlowGraph, states: StepViews = {}): GraphView {
  const boxes: Box[] = [];
  if (graph.params.length > 0) {
    boxes.push({
      id: PARAMS_ID,
      kind: "params",
      name: graph.params.map((param) => param.name).join(", "),
      many: false,
    });
  }
  for (const pathspec of versionsIn(graph)) {
    boxes.push({ id: versionId(pathspec), kind: "version", name: pathspec, many: false });
  }
  for (const spec of sourcesIn(graph)) {
    boxes.push({ id: sourceId(spec), kind: "source", name: spec, many: false });
  }
  for (const row of rowsOf(graph))
    boxes.push(row.kind === "switch" ? switchBox(row.item) : stepBox(row.item, states));
  return { boxes, arrows: merged(arrowsOf(graph)) };
}

export type Row =
  | { readonly kind: "step"; readonly item: StepDeclaration }
  | { readonly kind: "switch"; readonly item: SwitchDeclaration };

/** Steps in order, each switch before the first step that stands in one of its arms (or reads it). */
export function rowsOf(graph: FlowGraph): Row[] {
  const rows: Row[] = [];
  const left = new Set(graph.switches);
  for (const step of graph.steps) {
    for (const item of left) {
      const isInArm = step.arms.some((arm) => arm.switch === item.name);
      const reads = inputRefs(step).map(({ ref }) => innerRef(ref));
      if (!isInArm && !reads.some((ref) => ref.k === "switch" && ref.name === item.name)) continue;
      rows.push({ kind: "switch", item });
      left.delete(item);
    }
    rows.push({ kind: "step", item: step });
  }
  for (const item of left) rows.push({ kind: "switch", item });
  return rows;
}

function stepBox(step: StepDeclaration, states: StepViews): Box {
  const view = states[step.name];
  const note =
    step.python === undefined ? step.options.doc : `${step.python.file} · ${step.python.fn}`;
  return {
    id: stepId(step.name),
    kind: step.kind,
    name: step.name,
    many: step.levels.length > 0,
    ...(note === undefined ? {} : { note }),
    ...(view === undefined ? {} : { view }),
  };
}

function switchBox(item: SwitchDeclaration): Box {
  return { id: switchId(item.name), kind: "switch", name: item.name, many: item.levels.length > 0 };
}

const stepId = (name: string): string => `step:${name}`;
const switchId = (name: string): string => `switch:${name}`;
const sourceId = (spec: string): string => `source:${spec}`;
const versionId = (pathspec: string): string => `version:${pathspec}`;

function versionsIn(graph: FlowGraph): Set<string> {
  return new Set(innerRefs(graph).flatMap((ref) => (ref.k === "from" ? [ref.pathspec] : [])));
}

function arrowsOf(graph: FlowGraph): Arrow[] {
  const arrows: Arrow[] = [];
  for (const item of graph.switches) {
    for (const source of sourcesOf(graph, item.on)) {
      arrows.push({ ...source, target: switchId(item.name), kind: "plain" });
    }
  }
  for (const step of graph.steps) {
    const target = stepId(step.name);
    for (const { ref } of inputRefs(step)) {
      for (const source of sourcesOf(graph, ref)) {
        arrows.push({ ...source, target, kind: source.isArm ? "arm" : arrowKind(ref) });
      }
    }
    const arm = step.arms.at(-1);
    if (arm !== undefined && beginsArm(graph, step)) {
      arrows.push({ source: switchId(arm.switch), target, label: arm.case, kind: "arm" });
    }
  }
  return arrows.map(({ source, target, label, kind }) => ({ source, target, label, kind }));
}

/** No input comes from the same arm: only the switch leads here. */
function beginsArm(graph: FlowGraph, step: StepDeclaration): boolean {
  return !inputRefs(step).some(({ ref }) => {
    const source = graph.steps.find((item) => item.name === sourceStep(ref));
    return source !== undefined && source.arms.length >= step.arms.length;
  });
}

interface Source {
  readonly source: string;
  readonly label: string;
  readonly isArm: boolean;
}

function sourcesOf(graph: FlowGraph, ref: ValueRef): Source[] {
  const inner = innerRef(ref);
  switch (inner.k) {
    case "param":
      return [
        { source: PARAMS_ID, label: inner.name === WHOLE_INPUT ? "" : inner.name, isArm: false },
      ];
    case "from":
      return [{ source: versionId(inner.pathspec), label: "", isArm: false }];
    case "source":
      return [{ source: sourceId(inner.spec), label: "", isArm: false }];
    case "out":
      return [{ source: stepId(inner.step), label: inner.path.join("."), isArm: false }];
    case "switch": {
      const item = graph.switches.find((candidate) => candidate.name === inner.name);
      const results = Object.values(item?.cases ?? {}).flatMap((result) =>
        sourcesOf(graph, result),
      );
      const path = inner.path.join(".");
      return results.map(({ source, label }) => ({
        source,
        label: [label, path].filter((part) => part !== "").join("."),
        isArm: true,
      }));
    }
    case "each":
    case "collect":
    case "const":
      return [];
  }
}

function arrowKind(ref: ValueRef): ArrowKind {
  return ref.k === "each" || ref.k === "collect" ? ref.k : "plain";
}

/** One arrow for several values of the same kind between two boxes. */
function merged(arrows: readonly Arrow[]): Arrow[] {
  const found = new Map<string, Arrow>();
  for (const arrow of arrows) {
    const key = JSON.stringify([arrow.source, arrow.target, arrow.kind]);
    const before = found.get(key);
    const labels = new Set([...(before?.label.split(", ") ?? []), arrow.label]);
    const label = [...labels].filter((part) => part !== "").join(", ");
    found.set(key, { ...arrow, label });
  }
  return [...found.values()];
}
