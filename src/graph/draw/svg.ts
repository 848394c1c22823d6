/** The diagram as SVG, laid out by Graphviz (compiled to WebAssembly, in this process). Steps of many tasks are drawn as a stack. */
import { Graphviz } from "@hpcc-js/wasm-graphviz";
import type { FlowGraph } from "../flow-graph.ts";
import { dotText } from "./dot.ts";
import type { StepViews } from "./graph-view.ts";

export async function svgText(graph: FlowGraph, states?: StepViews): Promise<string> {
  const graphviz = await Graphviz.load();
  const svg = graphviz.layout(dotText(graph, states), "svg", "dot");
  // Without the XML prologue and doctype the text can stand in a page as well as in a file of its own.
  return stacked(svg.slice(svg.indexOf("<svg")));
}

const MANY =
  /(<g [^>]*class="node [^"]*\bmany\b[^"]*"[^>]*>)([\s\S]*?)(<path [^>]*\/>|<polygon [^>]*\/>)/g;

/** Two more sheets behind the box of a step with many tasks. */
function stacked(svg: string): string {
  return svg.replaceAll(MANY, (_all, open: string, between: string, shape: string) => {
    const sheet = (offset: number) =>
      shape.replace(/\/>$/, ` transform="translate(${offset},${-offset})"/>`);
    return `${open}${between}${sheet(6)}${sheet(3)}${shape}`;
  });
}
