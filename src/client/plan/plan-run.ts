/**
 * `mf plan`: which tasks of a run would be taken from what is stored, which would run, and why each; nothing runs and nothing is
 * written. The same for a store in this process and for a mesh behind a daemon.
 */
import type { FlowPackage } from "../../code/flow-package.ts";
import { givenValues } from "../../engine/engine.ts";
import { planFlow, type FlowPlan, type StepPlan } from "../../engine/run/flow-plan.ts";
import { TASKS_MAX_DEFAULT } from "../../engine/run/run-limits.ts";
import type { RunRequest } from "../../engine/run-api.ts";
import { usableFacts } from "../../engine/run/usable-facts.ts";
import type { Clock } from "../../env/clock.ts";
import { parentsOf } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { unstored } from "../../store/unstored.ts";
import { defined } from "../../std/assert.ts";
import { PastRuns } from "../explain/past-runs.ts";
import { RunLibrary } from "../explain/run-library.ts";
import type { PastRun } from "../explain/run-view.ts";
import { reasonsText } from "../explain/reason-words.ts";
import type { Records } from "../records.ts";
import { dryRun, type DryRun } from "./dry-run.ts";
import { plannedView } from "./planned-run.ts";
import type { PlannedCounts, RunPlan, StepForecast, TaskGroup } from "./run-plan.ts";
import { StoredElements } from "./stored-elements.ts";
import { askedReason, explainTasks, type TaskReasonsDeps } from "./task-reasons.ts";
import { certainReasons, type WaitingDeps } from "./waiting-step.ts";

/** Tasks of one step whose reasons are looked for one by one. */
const EXPLAINED_TASKS_MAX = 20_000;

export interface PlanRequest {
  readonly flowPackage: FlowPackage;
  readonly request: Pick<
    RunRequest,
    "params" | "sources" | "seed" | "noCache" | "rerun" | "maxTasks" | "versions"
  >;
  /** Identity of the Python of each Python step. */
  readonly environments: Readonly<Record<string, string>>;
}

interface PlanDeps {
  readonly records: Records;
  readonly clock: Clock;
}

/** @throws MfError PARAM_MISSING, STEP_UNKNOWN, PATHSPEC_NOT_FOUND, RUN_NOT_FOUND (of a from) */
export async function planRun(
  { records, clock }: PlanDeps,
  { flowPackage, request, environments }: PlanRequest,
): Promise<RunPlan> {
  const { graph } = flowPackage;
  const rerun = new Set(request.rerun);
  const contents = new Map<Cid, Uint8Array>();
  const given = await givenValues(
    { store: unstored(contents) },
    {
      flowPackage,
      request,
      resolve: (pathspec) => versionOf(records, pathspec, request.versions),
    },
  );
  for (const source of [...given.params.values(), ...given.constants.values()])
    if (source.k === "bytes") contents.set(source.id, source.data);
  const plan = planFlow(flowPackage, environments);
  const elements = new StoredElements(records, contents);
  const seed = request.seed ?? "0";
  const rule = { noCache: request.noCache ?? false, rerun };
  const tasksMax = request.maxTasks ?? TASKS_MAX_DEFAULT;
  const store = {
    getResults: (refs: Parameters<Records["facts"]>[0]) => records.facts(refs),
    has: (ids: readonly Cid[]) => records.has(ids),
  };
  const dry = await dryRun(
    plan,
    { given, seed, tasksMax, ...rule },
    {
      usable: (tasks) => usableFacts(tasks, { store, clock }),
      elements: (step, source) => elements.load(step, source),
      switchValue: (name, source) => elements.switchValue(name, source),
    },
  );
  const past = new PastRuns(records, graph.name);
  const now = clock.now();
  const view = plannedView(
    { flowPackage, params: request.params, sources: request.sources ?? {}, given, seed, at: now },
    dry,
  );
  const library = new RunLibrary(records);
  const reasons: TaskReasonsDeps = { records, library, past, view, rule, now };
  const forecaster = new Forecaster(dry, { plan, flowPackage, reasons, given, seed });
  return forecaster.plan();
}

/** @throws MfError what resolving throws, PATHSPEC_INVALID where it names no single artifact */
async function versionOf(
  records: Records,
  pathspec: string,
  pinned: Readonly<Record<string, Cid>> = {},
): Promise<InputSource> {
  const resolved = await records.side.resolve(pathspec);
  const reason = "a version names an artifact: flow/run/step/artifact";
  if (resolved.kind !== "artifact")
    throw new MfError("PATHSPEC_INVALID", { text: pathspec, reason });
  const { ref, path } = resolved.artifact;
  const id = pinned[pathspec] ?? ref.id;
  return path.length === 0 ? { k: "artifact", id } : { k: "artifact", id, path };
}

interface ForecastDeps {
  readonly plan: FlowPlan;
  readonly flowPackage: FlowPackage;
  readonly reasons: TaskReasonsDeps;
  readonly given: WaitingDeps["given"];
  readonly seed: string;
}

class Forecaster {
  readonly #dry: DryRun;
  readonly #deps: ForecastDeps;
  #nearest: PastRun | undefined;

  constructor(dry: DryRun, deps: ForecastDeps) {
    this.#dry = dry;
    this.#deps = deps;
  }

  async plan(): Promise<RunPlan> {
    const { flowPackage, reasons, plan } = this.#deps;
    if (this.#dry.toRun.length > 0)
      this.#nearest = nearestRun(await reasons.past.all(), this.#deps);
    const steps: StepForecast[] = [];
    for (const step of plan.steps.values()) steps.push(await this.#forecast(step, steps));
    const sum = (key: keyof PlannedCounts): number =>
      steps.reduce((total, { tasks }) => total + tasks[key], 0);
    const nearest = this.#nearest;
    return {
      flow: plan.flow,
      file: flowPackage.file,
      ...(nearest === undefined
        ? {}
        : { nearest: { run: nearest.run, at: nearest.summary.createdAt } }),
      tasks: { reused: sum("reused"), runs: sum("runs"), unknown: sum("unknown") },
      isExact: steps.every(({ isPredicted, tasks }) => !isPredicted && tasks.unknown === 0),
      steps,
    };
  }

  async #forecast(step: StepPlan, before: readonly StepForecast[]): Promise<StepForecast> {
    const progress = defined(
      this.#dry.steps.find(({ name }) => name === step.name),
      step.name,
    );
    const toRun = this.#dry.toRun.filter((task) => task.step.name === step.name);
    const error = this.#dry.failures.find((failure) => failure.step === step.name)?.error;
    const known = progress.reused + toRun.length;
    const isPredicted = progress.total === undefined && error === undefined;
    const expected =
      progress.total ?? (isPredicted ? Math.max(known, this.#tasksBefore(step.name)) : known);
    const waiting = Math.max(0, expected - known - progress.failed);
    const isWaiting = waiting > 0 || isPredicted;
    const waitsFor = isWaiting ? this.#runningAbove(step.name, before) : [];
    const certain = isWaiting ? await this.#certain(step) : [];
    const late: TaskGroup[] =
      certain.length === 0 ? [] : [{ indexes: [], count: waiting, reasons: certain }];
    const groups = [...(await this.#groups(toRun)), ...late];
    const arms = isWaiting ? step.arms : [];
    const isCertain = certain.length > 0 && arms.length === 0;
    const tasks = {
      reused: progress.reused,
      runs: toRun.length + (isCertain ? waiting : 0),
      unknown: isCertain ? 0 : waiting,
    };
    return {
      name: step.name,
      state: stateOf({ tasks, isWaiting, isCertain, isFailing: error !== undefined, progress }),
      tasks,
      isPredicted,
      waitsFor,
      arms,
      groups,
      unexplained: Math.max(0, toRun.length - EXPLAINED_TASKS_MAX),
      ...(error === undefined ? {} : { error }),
    };
  }

  #tasksBefore(step: string): number {
    const tasks = [...(this.#nearest?.tasks.values() ?? [])];
    return tasks.filter((task) => task.step === step).length;
  }

  /** Steps above that run for certain: what those come to decides. */
  #runningAbove(step: string, before: readonly StepForecast[]): string[] {
    const above = stepsAbove(this.#deps.flowPackage, step);
    return before
      .filter(({ name, tasks, isPredicted, waitsFor, groups }) => {
        const runs = tasks.runs > 0 || (isPredicted && groups.length > 0 && waitsFor.length > 0);
        return above.has(name) && runs;
      })
      .map(({ name }) => name);
  }

  async #certain(step: StepPlan): Promise<TaskGroup["reasons"]> {
    const { reasons, plan, given, seed } = this.#deps;
    const asked = askedReason(step, reasons.rule);
    if (asked !== undefined) return [asked];
    return certainReasons(step, { plan, given, past: reasons.past, view: reasons.view, seed });
  }

  async #groups(toRun: DryRun["toRun"]): Promise<TaskGroup[]> {
    const groups = new Map<string, TaskGroup & { readonly indexes: (readonly number[])[] }>();
    const explained = await explainTasks(toRun.slice(0, EXPLAINED_TASKS_MAX), this.#deps.reasons);
    for (const { task, reasons, against } of explained) {
      const text = reasonsText(reasons, { step: task.step.name, now: this.#deps.reasons.now });
      const group = groups.get(text);
      if (group !== undefined) group.indexes.push(task.index);
      else
        groups.set(text, {
          indexes: [task.index],
          count: 1,
          reasons,
          ...(against === undefined ? {} : { against }),
        });
    }
    return [...groups.values()].map((group) => ({ ...group, count: group.indexes.length }));
  }
}

function stateOf({
  tasks,
  isWaiting,
  isCertain,
  isFailing,
  progress,
}: {
  tasks: PlannedCounts;
  isWaiting: boolean;
  isCertain: boolean;
  isFailing: boolean;
  progress: DryRun["steps"][number];
}): StepForecast["state"] {
  if (isFailing) return "fails";
  if (tasks.runs > 0 || (isWaiting && isCertain)) return "runs";
  if (isWaiting) return "waits";
  return progress.state === "skipped" ? "skipped" : "reused";
}

function stepsAbove({ graph }: FlowPackage, name: string): Set<string> {
  const above = new Set<string>();
  const visit = (step: string): void => {
    const declaration = graph.steps.find((item) => item.name === step);
    for (const parent of declaration === undefined ? [] : parentsOf(graph, declaration)) {
      if (above.has(parent)) continue;
      above.add(parent);
      visit(parent);
    }
  };
  visit(name);
  return above;
}

/** That differs in fewest parameters and codes; of equals one that succeeded, then the newest. */
function nearestRun(
  runs: readonly PastRun[],
  { plan, reasons }: Pick<ForecastDeps, "plan" | "reasons">,
): PastRun | undefined {
  const ways = (run: PastRun): number => {
    const params = [...reasons.view.params].filter(
      ([name, { id }]) => run.params.get(name)?.id !== id,
    );
    const codes = [...plan.steps.values()].filter(
      ({ name, code }) => run.started.codes[name] !== code.codeId,
    );
    return params.length + codes.length + (run.summary.state === "succeeded" ? 0 : 0.5);
  };
  let nearest: PastRun | undefined;
  for (const run of runs)
    if (run.tasks.size > 0 && (nearest === undefined || ways(run) < ways(nearest))) nearest = run;
  return nearest;
}
