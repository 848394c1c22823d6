/** `mf show`: a flow's diagram, or a run's with the states of its steps. No step runs. */
import { existsSync } from "node:fs";
import type { FlowPackage } from "../../src/code/flow-package.ts";
import type { StepStatus } from "../../src/client/runs.ts";
import { drawGraph } from "../../src/graph/draw/draw-graph.ts";
import type { StepView, StepViews } from "../../src/graph/draw/graph-view.ts";
import { readLocation } from "../../src/store/segment/segment-reader.ts";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { writeOutputFile } from "../output/output-file.ts";
import { loadFlowSource } from "../flow-source.ts";

export interface ShowOptions extends CommonOptions {
  readonly as: "tty" | "mermaid" | "dot" | "svg" | "html";
  readonly output?: string;
}

interface Shown {
  readonly flowPackage: FlowPackage;
  readonly states?: StepViews;
}

export async function showCommand(
  context: CommandContext,
  target: string,
  options: ShowOptions,
): Promise<number> {
  const shown = isFile(target) ? await fromFile(context, target) : await fromRun(context, target);
  const { graph } = shown.flowPackage;
  if (options.json === true) {
    writeJson(context, graph);
    return 0;
  }
  const isTerminal = options.output === undefined && context.terminal.isOutTty;
  const text = await drawGraph(graph, options.as, {
    colour: isTerminal && context.terminal.colourOut,
    ...(isTerminal ? { width: context.terminal.width() } : {}),
    ...(shown.states === undefined ? {} : { states: shown.states }),
  });
  if (options.output === undefined) context.terminal.out(text.endsWith("\n") ? text : `${text}\n`);
  else await writeOutputFile("show", options.output, text);
  return 0;
}

function isFile(target: string): boolean {
  return existsSync(target) || /\.[cm]?[jt]s$/.test(target);
}

async function fromFile(context: CommandContext, file: string): Promise<Shown> {
  const loaded = await loadFlowSource(context, file, {
    params: {},
    validateParams: false,
    checkTypes: false,
  });
  return { flowPackage: loaded.package };
}

function fromRun(context: CommandContext, run: string): Promise<Shown> {
  return withReadSide(context, async (readSide) => {
    const id = await readSide.packageId(run);
    const [location] = await readSide.locate([id]);
    if (location === undefined) throw new MfError("CONTENT_MISSING", { id });
    const flowPackage = JSON.parse(
      Buffer.from(readLocation(location)).toString("utf8"),
    ) as FlowPackage;
    const status = await readSide.status(run);
    const states = Object.fromEntries(status.steps.map((step) => [step.name, viewOf(step)]));
    return { flowPackage, states };
  });
}

/** A step outside every foreach has one task at most: its state says it all. */
function viewOf(step: StepStatus): StepView {
  const { succeeded, total } = step.tasks;
  return { state: step.state, ...(total > 1 ? { count: `${succeeded}/${total}` } : {}) };
}
