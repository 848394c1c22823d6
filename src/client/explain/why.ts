/** `mf why`: what a pathspec or an id names, traced back to sources, parameters and code. */
import type { TaskOutput } from "../../engine/lookup/run-outputs.ts";
import { finalSteps } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import { taskText } from "../../model/ids.ts";
import { parsePathspec, type Pathspec } from "../../model/pathspec.ts";
import type { Records } from "../records.ts";
import type { Origin } from "./origin.ts";
import { RunLibrary, type MadeBy } from "./run-library.ts";
import type { PastRun } from "./run-view.ts";
import { OriginTrace, type TraceLimits } from "./trace-origin.ts";

/** Facts in one answer, whatever was asked. */
const FACTS_MAX = 5000;
/** Tasks of a foreach, or makers of one content, that are followed side by side. */
const ROOTS_MAX = 20;

type FlowSpec = Extract<Pathspec, { k: "flow" }>;

interface Roots {
  readonly made: readonly MadeBy[];
  readonly leftOut: number;
  readonly artifact?: string;
}

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
export async function traceOrigin(
  records: Records,
  text: string,
  limits: Partial<TraceLimits> = {},
): Promise<Origin> {
  const library = new RunLibrary(records);
  const spec = parsePathspec(text);
  const roots =
    spec.k === "content"
      ? await makersOfContent({ records, library }, text)
      : await tasksNamed({ records, library }, { spec, text });
  const trace = new OriginTrace(library, {
    depthMax: Infinity,
    elementsMax: FACTS_MAX,
    factsMax: FACTS_MAX,
    ...limits,
  });
  const ids = roots.made.map(({ run, output }) => trace.add(run, output));
  await trace.follow();
  const { artifact, leftOut } = roots;
  return {
    of: text,
    ...(artifact === undefined ? {} : { artifact }),
    roots: ids,
    rootsLeftOut: leftOut,
    facts: trace.facts,
    inputs: trace.inputs,
  };
}

interface Lookup {
  readonly records: Records;
  readonly library: RunLibrary;
}

async function makersOfContent({ records, library }: Lookup, text: string): Promise<Roots> {
  const resolved = await records.side.resolve(text);
  if (resolved.kind !== "content")
    throw new MfError("PATHSPEC_INVALID", { text, reason: "it names no content" });
  const made = await library.makersOf(resolved.id, ROOTS_MAX);
  if (made.length === 0)
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: "the content is stored, but no task of a run that is known made it",
      hint: "It may be a parameter's file, or its run was removed.",
    });
  return { made, leftOut: 0 };
}

async function tasksNamed(
  { records, library }: Lookup,
  { spec, text }: { spec: FlowSpec; text: string },
): Promise<Roots> {
  const summary = await records.side.run(`${spec.flow}/${spec.run ?? "latest"}`);
  const run = await library.get(summary);
  if (run === undefined) throw new MfError("RUN_NOT_FOUND", { run: text });
  const outputs =
    spec.step === undefined ? await finalTasks(run) : await tasksOfStep(run, spec, text);
  const made = outputs.slice(0, ROOTS_MAX).map((output) => ({ run, output }));
  const leftOut = outputs.length - made.length;
  return { made, leftOut, ...(spec.artifact === undefined ? {} : { artifact: spec.artifact }) };
}

/** Of a run alone: what the flow is for. */
async function finalTasks(run: PastRun): Promise<readonly TaskOutput[]> {
  const graph = (await run.flowPackage())?.graph;
  const steps = graph === undefined ? [] : finalSteps(graph);
  const outputs = await Promise.all(steps.map((step) => run.tasksOf(step)));
  if (outputs.flat().length === 0)
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: run.run,
      reason: "none of its last steps has succeeded",
      hint: "Name a task: flow/run/step[i]; `mf status RUN` shows steps.",
    });
  return outputs.flat();
}

async function tasksOfStep(
  run: PastRun,
  spec: FlowSpec,
  text: string,
): Promise<readonly TaskOutput[]> {
  const all = await run.tasksOf(spec.step ?? "");
  const index = spec.index?.join(",");
  const tasks = all.filter((task) => index === undefined || task.index.join(",") === index);
  const [first] = tasks;
  if (first === undefined) {
    const known = all.slice(0, 5).map(taskText).join(", ");
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: `${run.run} has no finished task of that name`,
      hint: known === "" ? "`mf status RUN` shows its steps." : `There are: ${known}.`,
    });
  }
  const { artifact } = spec;
  if (artifact !== undefined && !Object.hasOwn(first.fact.outputs, artifact))
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: `${taskText(first)} has no artifact ${artifact}`,
      hint: `It has: ${Object.keys(first.fact.outputs).join(", ") || "nothing"}.`,
    });
  return tasks;
}
