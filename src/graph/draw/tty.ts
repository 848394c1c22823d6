/** The diagram as one line a step: mark, name (× for many tasks), count and time of a run, and what it reads. Fits any width. */
import type { FlowGraph, StepDeclaration } from "../flow-graph.ts";
import { inputRefs, refText, sourcesOf } from "../queries.ts";
import { rowsOf } from "./graph-view.ts";
import type { Row, StepView, StepViews } from "./graph-view.ts";

export interface TtyOptions {
  readonly states?: StepViews;
  /** Columns. @default 80 */
  readonly width?: number;
  /** ANSI colours. @default false */
  readonly colour?: boolean;
}

const WIDTH_DEFAULT = 80;
const MARKS: Readonly<Record<StepView["state"], readonly [mark: string, colour: number]>> = {
  waiting: ["·", 90],
  running: ["▶", 36],
  succeeded: ["✔", 32],
  failed: ["✖", 31],
  cancelled: ["■", 33],
  skipped: ["–", 90],
};

interface Line {
  readonly mark: string;
  readonly colour: number | undefined;
  readonly name: string;
  readonly count: string;
  readonly time: string;
  readonly reads: string;
  /** Instead of what it reads. */
  readonly after?: string;
}

export function ttyText(graph: FlowGraph, options: TtyOptions = {}): string {
  const width = Math.max(1, options.width ?? WIDTH_DEFAULT);
  const lines = [
    ...paramLine(graph),
    ...sourceLines(graph),
    ...rowsOf(graph).map((row) => rowLine(row, options.states)),
  ];
  const widest = (of: (line: Line) => string): number =>
    Math.max(0, ...lines.map((line) => textWidth(of(line))));
  // A narrow terminal keeps half of its columns for what follows the names.
  const nameWidth = Math.min(
    widest((line) => line.name),
    Math.max(8, Math.floor(width / 2)),
  );
  const countWidth = widest((line) => line.count);
  const timeWidth = widest((line) => line.time);
  const title = graph.doc === undefined ? graph.name : `${graph.name}  ${graph.doc}`;
  const texts = lines.map((line) => {
    const columns = [padded(fitted(line.name, nameWidth), nameWidth)];
    if (countWidth > 0) columns.push(line.count.padStart(countWidth));
    if (timeWidth > 0) columns.push(line.time.padStart(timeWidth));
    if (line.reads !== "") columns.push(`← ${line.reads}`);
    if (line.after !== undefined) columns.push(line.after);
    const rest = fitted(` ${columns.join("  ")}`, width - 1).trimEnd();
    return `${paint(line.mark, line.colour, options.colour)}${rest}`;
  });
  return [paint(fitted(title, width), 1, options.colour), ...texts, ""].join("\n");
}

function paramLine(graph: FlowGraph): Line[] {
  if (graph.params.length === 0) return [];
  const texts = graph.params.map((param) =>
    param.defaultText === undefined ? param.name : `${param.name}=${param.defaultText}`,
  );
  return [
    {
      mark: "▷",
      colour: 32,
      name: "params",
      count: "",
      time: "",
      reads: "",
      after: texts.join(", "),
    },
  ];
}

function sourceLines(graph: FlowGraph): Line[] {
  const line = { mark: "▤", colour: 36, name: "source", count: "", time: "", reads: "" };
  return sourcesOf(graph).map((spec) => ({ ...line, after: spec }));
}

function rowLine(row: Row, states: StepViews | undefined): Line {
  if (row.kind === "switch") {
    const indent = "  ".repeat(row.item.arms.length);
    const name = `${indent}${armText(row.item.arms.at(-1)?.case)}${row.item.name}${row.item.levels.length > 0 ? " ×" : ""}`;
    return { mark: "◇", colour: 35, name, count: "", time: "", reads: refText(row.item.on) };
  }
  const view = states?.[row.item.name];
  const [mark, colour] =
    view === undefined ? [row.item.kind === "python" ? "◆" : "●", 34] : MARKS[view.state];
  return {
    mark,
    colour,
    name: stepName(row.item),
    count: view?.count ?? "",
    time: view?.time ?? "",
    reads: inputRefs(row.item)
      .map(({ ref }) => refText(ref))
      .join(", "),
  };
}

function stepName(step: StepDeclaration): string {
  const many = step.levels.length > 0 ? " ×" : "";
  return `${"  ".repeat(step.arms.length)}${armText(step.arms.at(-1)?.case)}${step.name}${many}`;
}

function armText(name: string | undefined): string {
  return name === undefined ? "" : `${name}: `;
}

function paint(text: string, colour: number | undefined, isOn: boolean | undefined): string {
  return isOn === true && colour !== undefined ? `\u001B[${colour}m${text}\u001B[0m` : text;
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** The text in at most `width` columns, on one line and without control characters. */
function fitted(text: string, width: number): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, " ");
  if (textWidth(clean) <= width) return clean;
  let used = 0;
  let kept = "";
  for (const character of clean) {
    used += characterWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return width > 0 ? `${kept}…` : "";
}

function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Columns of a character on a terminal: East Asian wide ones and emoji take two, marks that combine none. */
function characterWidth(character: string): number {
  if (/^\p{M}$/u.test(character)) return 0;
  return /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]$|^\p{Emoji_Presentation}$/u.test(
    character,
  )
    ? 2
    : 1;
}
