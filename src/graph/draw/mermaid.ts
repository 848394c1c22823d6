/** The diagram as Mermaid text, which GitHub and many notebooks draw. Ids are numbered; texts are escaped as entities. */
import type { FlowGraph } from "../flow-graph.ts";
import { boxLines } from "./dot.ts";
import { viewOf } from "./graph-view.ts";
import type { Arrow, Box, StepViews } from "./graph-view.ts";

const SHAPES: Readonly<Record<Box["kind"], readonly [string, string]>> = {
  params: ["([", "])"],
  version: ["[(", ")]"],
  source: ["[/", "/]"],
  step: ["[", "]"],
  python: ["[", "]"],
  switch: ["{", "}"],
};
/** A step of many tasks is drawn with bars at its sides. */
const MANY_SHAPE: readonly [string, string] = ["[[", "]]"];

const CLASSES = [
  "classDef params fill:#eef9f0,stroke:#3b8f4e,color:#1d2433",
  "classDef version fill:#f4f4f2,stroke:#8a8778,color:#1d2433",
  "classDef source fill:#eaf7f7,stroke:#2f8a8a,color:#1d2433",
  "classDef step fill:#eef4ff,stroke:#4c6fbf,color:#1d2433",
  "classDef python fill:#fff7df,stroke:#b5880f,color:#1d2433",
  "classDef switch fill:#f5efff,stroke:#7d55c7,color:#1d2433",
  "classDef running fill:#dcebff,stroke:#1f6feb,color:#1d2433",
  "classDef succeeded fill:#e3f6e5,stroke:#2e8b46,color:#1d2433",
  "classDef failed fill:#fde5e3,stroke:#cf3a2e,color:#1d2433",
];
const STATE_CLASSES = new Set(["running", "succeeded", "failed"]);

export function mermaidText(graph: FlowGraph, states?: StepViews): string {
  const { boxes, arrows } = viewOf(graph, states);
  const ids = new Map(boxes.map((box, index) => [box.id, `b${index}`]));
  const idOf = (box: string): string => ids.get(box) ?? "unknown";
  return [
    "flowchart TB",
    ...boxes.map((box) => `  ${idOf(box.id)}${shaped(box)}:::${classOf(box)}`),
    ...arrows.map((arrow) => `  ${idOf(arrow.source)} ${line(arrow)} ${idOf(arrow.target)}`),
    ...CLASSES.map((text) => `  ${text}`),
    "",
  ].join("\n");
}

function shaped(box: Box): string {
  const isStep = box.kind === "step" || box.kind === "python";
  const [open, close] = isStep && box.many ? MANY_SHAPE : SHAPES[box.kind];
  return `${open}"${boxLines(box).map(escaped).join("<br/>")}"${close}`;
}

function classOf(box: Box): string {
  return box.view !== undefined && STATE_CLASSES.has(box.view.state) ? box.view.state : box.kind;
}

function line(arrow: Arrow): string {
  const stroke = { plain: "-->", each: "==>", collect: "-.->", arm: "-.->" }[arrow.kind];
  return arrow.label === "" ? stroke : `${stroke}|"${escaped(arrow.label)}"|`;
}

/** Mermaid reads `#name;` as an entity: everything that could be markup becomes one. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\p{Cc}]/gu, " ")
    .replaceAll(
      /[^\p{L}\p{N} _.,:/×·()+*=-]/gu,
      (character) => `#${character.codePointAt(0) ?? 32};`,
    );
}
