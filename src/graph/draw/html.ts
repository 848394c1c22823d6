/** The diagram as one HTML file that needs nothing else: no script, no font, no network. */
import type { FlowGraph } from "../flow-graph.ts";
import type { StepViews } from "./graph-view.ts";
import { svgText } from "./svg.ts";

const STYLE = `
  :root { color-scheme: light; font-family: system-ui, Helvetica, Arial, sans-serif; color: #1d2433; }
  body { margin: 0; background: #fbfcfe; }
  header { padding: 1.2rem 1.6rem .2rem; }
  h1 { font-size: 1.3rem; margin: 0; }
  header p, footer { color: #5f6b7d; margin: .3rem 0; }
  main { overflow: auto; padding: .6rem 1.6rem; }
  main svg { max-width: 100%; height: auto; }
  footer { padding: 0 1.6rem 1.2rem; font-size: .85rem; }
  table { border-collapse: collapse; margin: .6rem 1.6rem; font-size: .9rem; }
  th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e3e8f0; }
`;

export async function htmlText(graph: FlowGraph, states?: StepViews): Promise<string> {
  const svg = await svgText(graph, states);
  const name = escaped(graph.name);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${name}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${name}</h1>${graph.doc === undefined ? "" : `<p>${escaped(graph.doc)}</p>`}</header>
<main>
${svg}</main>
${paramTable(graph)}<footer>A stack (×) runs once for each element. Thick arrows go through a list, dashed ones gather it or belong to an arm of a switch.</footer>
</body>
</html>
`;
}

function paramTable(graph: FlowGraph): string {
  if (graph.params.length === 0) return "";
  const rows = graph.params.map((param) => {
    const cells = [param.name, param.kind, param.defaultText ?? "required", param.help ?? ""];
    return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>\n`;
  });
  return `<table>\n<tr><th>parameter</th><th>kind</th><th>default</th><th></th></tr>\n${rows.join("")}</table>\n`;
}

/** Control characters have no place in a page, not even as entities. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\p{Cc}]/gu, " ")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
