/** `mf plan`: what a run would reuse, what it would execute, and why. JSON: a RunPlan (src/client/plan/run-plan.ts), each step with `why`. */
import { planRun } from "../../src/client/plan/plan-run.ts";
import { fileId } from "../../src/client/plan/file-id.ts";
import {
  countText,
  planText,
  stepLines,
  stepSentence,
  summaryText,
} from "../../src/client/plan/plan-words.ts";
import type { RunPlan, StepForecast } from "../../src/client/plan/run-plan.ts";
import { Records } from "../../src/client/records.ts";
import type { FlowPackage } from "../../src/code/flow-package.ts";
import { pythonEnvironment } from "../../src/engine/hosts/python/python-environment.ts";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { loadFlowSource, readParams, type ParamOptions } from "../flow-source.ts";
import { createPaint, type Style } from "../output/paint.ts";
import { writeTable } from "../output/table.ts";
import { encodeParams } from "../param-values.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { readSources } from "../source-values.ts";
import type { SourceStore } from "../../src/source/pin-sources.ts";

export interface PlanOptions extends CommonOptions, ParamOptions {
  readonly why?: readonly string[];
  readonly check: boolean;
  readonly cache: boolean;
  readonly rerun?: readonly string[];
  readonly seed?: string;
  readonly maxTasks?: number;
}

/** Files get the ids that they would have; nothing is stored, so what is remembered of large ones is taken as it is. */
const HASHED_ONLY: SourceStore = { putFile: fileId, has: async (ids) => ids.map(() => true) };

export async function planCommand(
  context: CommandContext,
  file: string,
  options: PlanOptions,
): Promise<number> {
  const params = await readParams(options, "plan");
  const loaded = await loadFlowSource(context, file, {
    params,
    validateParams: true,
    checkTypes: options.check,
  });
  const flowPackage = loaded.package;
  for (const name of [...(options.why ?? []), ...(options.rerun ?? [])])
    refuseUnknown(flowPackage, name);
  const encoded = await encodeParams({ putFile: fileId }, loaded.params, flowPackage.graph.name);
  const interrupt = listenForInterrupt();
  const sources = await readSources(context, loaded, {
    store: HASHED_ONLY,
    interrupt,
    isQuiet: options.json === true,
  }).finally(() => interrupt.stop());
  const environments = await environmentsOf(flowPackage);
  const { seed, maxTasks, rerun } = options;
  const request = {
    params: encoded,
    sources: sources.values,
    noCache: !options.cache,
    ...(seed === undefined ? {} : { seed }),
    ...(maxTasks === undefined ? {} : { maxTasks }),
    ...(rerun === undefined ? {} : { rerun }),
  };
  const plan = await withReadSide(context, async (readSide, daemon) => {
    const deps = { records: new Records(readSide), clock: context.clock };
    const planned = await planRun(deps, { flowPackage, request, environments });
    await warnUnanswered(context, daemon);
    return planned;
  });
  if (options.json === true) writePlanJson(context, plan, options.why);
  else if (options.why !== undefined) writeWhy(context, plan, options.why);
  else writePlan(context, plan);
  return 0;
}

/** @throws MfError USAGE */
function refuseUnknown({ graph }: FlowPackage, name: string): void {
  const names = graph.steps.map((step) => step.name);
  if (!names.includes(name))
    throw new MfError("USAGE", {
      message: `Flow "${graph.name}" has no step ${name}; it has ${names.join(", ")}.`,
      command: "plan",
    });
}

async function environmentsOf({ steps }: FlowPackage): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, code] of Object.entries(steps))
    if (code.kind === "python") found[name] = await pythonEnvironment(code, name);
  return found;
}

/** Of all steps, or of those that were asked about. */
function writePlanJson(
  context: CommandContext,
  plan: RunPlan,
  asked: readonly string[] | undefined,
): void {
  const now = context.clock.now();
  const steps = plan.steps
    .filter(({ name }) => asked === undefined || asked.includes(name))
    .map((step) => ({ ...step, why: stepSentence(step, now) }));
  writeJson(context, { ...plan, steps });
}

function writeWhy(context: CommandContext, plan: RunPlan, asked: readonly string[]): void {
  const { terminal, clock } = context;
  const paint = createPaint(terminal.colourOut);
  const steps = plan.steps.filter(({ name }) => asked.includes(name));
  const text = steps.map((step) => {
    const [head = "", ...lines] = stepLines(step, clock.now());
    return [paint.bold(head), ...lines.map((line) => coloured(line, paint))].join("\n");
  });
  terminal.out(`${text.join("\n\n")}\n`);
}

function coloured(line: string, paint: ReturnType<typeof createPaint>): string {
  const sign = /^\s+\d* ([+-]) /.exec(line)?.[1];
  if (sign === undefined) return line;
  return sign === "+" ? paint.green(line) : paint.red(line);
}

function writePlan(context: CommandContext, plan: RunPlan): void {
  const { terminal, clock } = context;
  const paint = createPaint(terminal.colourOut);
  const now = clock.now();
  writeTable(terminal, plan.steps, [
    { title: "step", text: ({ name }) => name },
    { title: "tasks", align: "right", text: countText },
    { title: "plan", text: planText, style: (step) => styleOf(step, paint) },
    { title: "why", text: (step) => stepSentence(step, now) },
  ]);
  if (terminal.isOutTty) terminal.out(`${summaryText(plan)}\n`);
  else terminal.err(`${summaryText(plan)}\n`);
}

function styleOf({ state }: StepForecast, paint: ReturnType<typeof createPaint>): Style {
  if (state === "reused") return paint.green;
  if (state === "fails") return paint.red;
  return state === "runs" ? paint.yellow : paint.dim;
}
