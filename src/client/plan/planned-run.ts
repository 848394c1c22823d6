/** A run that is only planned, looked at like one of the past: its tasks are those whose results are known already. */
import type { FlowPackage } from "../../code/flow-package.ts";
import { compareIndex, type TaskOutput } from "../../engine/lookup/run-outputs.ts";
import type { GivenValues } from "../../engine/run/input-resolution.ts";
import type { ParamValue } from "../../engine/run-api.ts";
import type { Cid } from "../../model/ids.ts";
import type { SourceValue } from "../../model/journal.ts";
import type { RunView } from "../explain/run-view.ts";
import type { DryRun } from "./dry-run.ts";

export interface Planned {
  readonly flowPackage: FlowPackage;
  readonly params: Readonly<Record<string, ParamValue>>;
  readonly sources: Readonly<Record<string, SourceValue>>;
  readonly given: GivenValues;
  readonly seed: string;
  readonly at: number;
}

export function plannedView(
  { flowPackage, params, sources, given, seed, at }: Planned,
  dry: DryRun,
): RunView {
  const byStep = new Map<string, TaskOutput[]>();
  for (const { task, fact } of dry.reused) {
    const list = byStep.get(task.step.name) ?? [];
    list.push({ step: task.step.name, index: task.index, fact });
    byStep.set(task.step.name, list);
  }
  const versions = new Map<string, Cid>();
  for (const [pathspec, source] of given.versions)
    if (source.k === "artifact") versions.set(pathspec, source.id);
  for (const list of byStep.values()) list.sort((a, b) => compareIndex(a.index, b.index));
  return {
    run: "",
    at,
    seed,
    params: new Map(Object.entries(params)),
    versions,
    sources: new Map(Object.entries(sources).map(([name, { version }]) => [name, version])),
    flowPackage: async () => flowPackage,
    tasksOf: async (step) => byStep.get(step) ?? [],
  };
}
