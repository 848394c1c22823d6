/** Draws a flow's graph in any of its forms. */
import type { FlowGraph } from "../flow-graph.ts";
import { dotText } from "./dot.ts";
import type { StepViews } from "./graph-view.ts";
import { htmlText } from "./html.ts";
import { mermaidText } from "./mermaid.ts";
import { svgText } from "./svg.ts";
import { ttyText } from "./tty.ts";

export const DRAWING_FORMS = ["tty", "mermaid", "dot", "svg", "html"] as const;
export type DrawingForm = (typeof DRAWING_FORMS)[number];

export interface DrawOptions {
  /** Step -> where it stands in a run. */
  readonly states?: StepViews;
  /** Columns (tty). @default 80 */
  readonly width?: number;
  /** ANSI colours (tty). @default false */
  readonly colour?: boolean;
}

export async function drawGraph(
  graph: FlowGraph,
  as: DrawingForm,
  options: DrawOptions = {},
): Promise<string> {
  switch (as) {
    case "tty":
      return ttyText(graph, options);
    case "mermaid":
      return mermaidText(graph, options.states);
    case "dot":
      return dotText(graph, options.states);
    case "svg":
      return svgText(graph, options.states);
    case "html":
      return htmlText(graph, options.states);
  }
}
