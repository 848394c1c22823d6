/** The diagram as Graphviz DOT: also what the SVG is laid out from. Every text is quoted, so no name can break out of it. */
import type { FlowGraph } from "../flow-graph.ts";
import { viewOf } from "./graph-view.ts";
import type { Arrow, Box, BoxKind, StepView, StepViews } from "./graph-view.ts";

interface Paint {
  readonly fill: string;
  readonly line: string;
}

const BOX_PAINT: Readonly<Record<BoxKind, Paint>> = {
  params: { fill: "#eef9f0", line: "#3b8f4e" },
  version: { fill: "#f4f4f2", line: "#8a8778" },
  source: { fill: "#eaf7f7", line: "#2f8a8a" },
  step: { fill: "#eef4ff", line: "#4c6fbf" },
  python: { fill: "#fff7df", line: "#b5880f" },
  switch: { fill: "#f5efff", line: "#7d55c7" },
};

const STATE_PAINT: Readonly<Record<StepView["state"], Paint>> = {
  waiting: { fill: "#f6f7f9", line: "#9aa3b2" },
  running: { fill: "#dcebff", line: "#1f6feb" },
  succeeded: { fill: "#e3f6e5", line: "#2e8b46" },
  failed: { fill: "#fde5e3", line: "#cf3a2e" },
  cancelled: { fill: "#fff0da", line: "#b9770e" },
  skipped: { fill: "#f6f7f9", line: "#c3c9d3" },
};

const BOX_SHAPE: Readonly<Record<BoxKind, string>> = {
  params: 'shape="box", style="rounded,filled"',
  version: 'shape="cylinder", style="filled"',
  source: 'shape="folder", style="filled"',
  step: 'shape="box", style="rounded,filled"',
  python: 'shape="box", style="rounded,filled"',
  switch: 'shape="diamond", style="filled"',
};

const ARROW_STYLE: Readonly<Record<Arrow["kind"], string>> = {
  plain: 'penwidth="1.1"',
  each: 'penwidth="2.6"',
  collect: 'style="dashed", penwidth="1.4"',
  arm: 'style="dashed", penwidth="1.1", color="#7d55c7", fontcolor="#7d55c7"',
};

export function dotText(graph: FlowGraph, states?: StepViews): string {
  const { boxes, arrows } = viewOf(graph, states);
  return [
    `digraph ${quoted(graph.name)} {`,
    '  graph [rankdir="TB", nodesep="0.45", ranksep="0.55", pad="0.25", bgcolor="#fbfcfe", fontname="Helvetica,Arial,sans-serif"];',
    '  node [fontname="Helvetica,Arial,sans-serif", fontsize="13", fontcolor="#1d2433", penwidth="1.3", margin="0.2,0.1"];',
    '  edge [fontname="Helvetica,Arial,sans-serif", fontsize="10", color="#5f6b7d", fontcolor="#4a5568", arrowsize="0.7"];',
    ...boxes.map((box) => `  ${quoted(box.id)} [${boxAttributes(box)}];`),
    ...arrows.map(
      (arrow) =>
        `  ${quoted(arrow.source)} -> ${quoted(arrow.target)} [label=${quoted(arrow.label === "" ? "" : `  ${arrow.label}  `)}, class=${quoted(arrow.kind)}, ${ARROW_STYLE[arrow.kind]}];`,
    ),
    "}",
    "",
  ].join("\n");
}

function boxAttributes(box: Box): string {
  const paint = box.view === undefined ? BOX_PAINT[box.kind] : STATE_PAINT[box.view.state];
  const classes = [
    box.kind,
    ...(box.many ? ["many"] : []),
    ...(box.view === undefined ? [] : [box.view.state]),
  ];
  return [
    `label=${quoted(boxLines(box).join("\n"))}`,
    `tooltip=${quoted(box.note ?? box.name)}`,
    `class=${quoted(classes.join(" "))}`,
    BOX_SHAPE[box.kind],
    `fillcolor=${quoted(paint.fill)}`,
    `color=${quoted(paint.line)}`,
  ].join(", ");
}

/** Name, and what a run says about it: the state as a word too, since nobody should have to tell red from green. */
export function boxLines(box: Box): string[] {
  const title = box.many ? `${box.name} ×` : box.name;
  const { state, count, time } = box.view ?? {};
  const second = [state, count, time].filter((part) => part !== undefined).join(" · ");
  const python = box.kind === "python" && box.note !== undefined ? [box.note] : [];
  return [title, ...python, ...(second === "" ? [] : [second])];
}

/** A DOT string. Control characters would end the line or vanish in the picture; \n in a label is DOT's own. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n")
    .replaceAll(/[\p{Cc}]/gu, " ");
  // Graphviz reads &name; in a string as an HTML entity.
  return `"${escaped.replaceAll("&", "&amp;")}"`;
}
