/**
 * Works out where each step stands (its foreach levels and arms) and checks the whole, going once through the declarations in
 * order. All problems are reported, not the first: a step whose inputs are wrong still gets a scope, so that the steps after it
 * are checked against something sensible. Order of declaration is a topological order because a handle exists only after its step.
 */
import { checkFlow } from "./flow-checks.ts";
import { checkCases, checkSwitchValue } from "./switch-checks.ts";
import type { DeclaredFlow, DeclaredItem, DeclaredStep, DeclaredSwitch } from "./declared-flow.ts";
import type { FlowGraph, StepDeclaration, SwitchDeclaration, ValueRef } from "./flow-graph.ts";
import type { GraphProblem } from "./graph-problem.ts";
import { inputRefs, refText } from "./queries.ts";
import { checkEach, report, scopeOf } from "./ref-scopes.ts";
import type { BuildState } from "./ref-scopes.ts";
import { armSegment, armsIn, deepestScope, isArm, levelsIn } from "./scope-path.ts";
import type { ScopePath } from "./scope-path.ts";

export interface BuiltGraph {
  readonly graph: FlowGraph;
  readonly problems: readonly GraphProblem[];
}

export function buildGraph(flow: DeclaredFlow): BuiltGraph {
  const state: BuildState = { flow, stepScopes: new Map(), switchScopes: new Map(), problems: [] };
  checkFlow(flow, state.problems);
  const steps: StepDeclaration[] = [];
  const switches: SwitchDeclaration[] = [];
  for (const item of flow.items) {
    if (item.kind === "switch") {
      const placed = placeSwitch(state, item);
      if (placed !== undefined) switches.push(placed);
    } else {
      steps.push(placeStep(state, item));
    }
  }
  for (const item of flow.items) {
    if (item.kind === "switch") checkCases(state, item);
  }
  const { name, doc, project, params } = flow;
  const graph: FlowGraph = {
    name,
    ...(doc === undefined ? {} : { doc }),
    ...(project === undefined ? {} : { project }),
    params,
    steps,
    switches,
  };
  return { graph, problems: state.problems };
}

function placeStep(state: BuildState, step: DeclaredStep): StepDeclaration {
  const scopes: { text: string; scope: ScopePath }[] = [];
  let opensForeach = false;
  for (const { ref } of inputRefs(step)) {
    if (ref.k === "each") {
      opensForeach = true;
      checkEach(state, step.name, ref.of);
    }
    scopes.push({
      text: refText(ref),
      scope: scopeOf(state, step.name, ref.k === "each" ? ref.of : ref),
    });
  }
  const around = resolveScope(state, step, scopes);
  const scope = opensForeach ? [...around, step.name] : around;
  if (!state.stepScopes.has(step.name)) state.stepScopes.set(step.name, scope);
  return {
    kind: step.kind,
    name: step.name,
    inputs: step.inputs,
    options: step.options,
    levels: levelsIn(scope),
    arms: armsIn(scope),
    ...(step.python === undefined ? {} : { python: step.python }),
  };
}

function placeSwitch(state: BuildState, item: DeclaredSwitch): SwitchDeclaration | undefined {
  const on = item.on;
  const scopes =
    on === undefined ? [] : [{ text: refText(on), scope: scopeOf(state, item.name, on) }];
  const scope = resolveScope(state, item, scopes);
  if (!state.switchScopes.has(item.name)) state.switchScopes.set(item.name, scope);
  if (on === undefined) return undefined;
  checkSwitchValue(state, item, on);
  const cases: Record<string, ValueRef> = {};
  for (const [name, result] of Object.entries(item.cases)) {
    if (result !== undefined) cases[name] = result;
  }
  return { name: item.name, on, levels: levelsIn(scope), arms: armsIn(scope), cases };
}

/** The deepest of the inputs' scopes and the one it was declared on; a problem where they exclude each other. */
function resolveScope(
  state: BuildState,
  item: DeclaredItem,
  inputs: readonly { text: string; scope: ScopePath }[],
): ScopePath {
  const base = item.within;
  const at: ScopePath =
    base === undefined ? [] : [...(state.switchScopes.get(base.switch) ?? []), armSegment(base)];
  const found = deepestScope([at, ...inputs.map((input) => input.scope)]);
  if ("scope" in found) return found.scope;
  const [stray, deepest] = found.mixed;
  const nameOf = (scope: ScopePath) =>
    inputs.find((input) => input.scope === scope)?.text ?? "its own arm";
  const [one, two] = [
    `${nameOf(stray)} (${scopeText(stray)})`,
    `${nameOf(deepest)} (${scopeText(deepest)})`,
  ];
  const depth = stray.findIndex((segment, index) => deepest[index] !== segment);
  if (isArm(stray[depth] ?? "") && isArm(deepest[depth] ?? "")) {
    report(state, item.name, "ARMS_MIXED", {
      message: `"${item.name}" reads ${one} and ${two}: only one of these arms runs, so it never could.`,
      remedy:
        "Read the handle that switch() returned: it is the result of whichever arm was chosen.",
    });
  } else {
    report(state, item.name, "FOREACH_MIXED", {
      message: `"${item.name}" mixes ${one} and ${two}: their elements do not correspond.`,
      remedy: `collect() one of them first, or build both in one foreach.`,
    });
  }
  return deepest;
}

function scopeText(scope: ScopePath): string {
  const last = scope.at(-1);
  if (last === undefined) return "outside any foreach";
  return isArm(last) ? `in arm ${last}` : `in the foreach of ${levelsIn(scope).join(", ")}`;
}
