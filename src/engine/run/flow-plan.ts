/**
 * A flow graph prepared for running: names turned into references, and for each foreach level what stands in it.
 * Think of a level as a folder that is copied once per element: its *members* are what each copy holds.
 */
import { environmentIdOf, type FlowPackage, type StepCode } from "../../code/flow-package.ts";
import type {
  ArmRef,
  StepDeclaration,
  SwitchDeclaration,
  ValueRef,
} from "../../graph/flow-graph.ts";
import { WHOLE_INPUT } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import { defined } from "../../std/assert.ts";

export interface FlowPlan {
  readonly flow: string;
  readonly steps: ReadonlyMap<string, StepPlan>;
  readonly switches: ReadonlyMap<string, SwitchPlan>;
  /** Members of the level of that name; the root's name is "". */
  readonly members: ReadonlyMap<string, readonly Member[]>;
}

export interface StepPlan {
  readonly name: string;
  /** Position of declaration. */
  readonly position: number;
  readonly declaration: StepDeclaration;
  readonly code: StepCode;
  /** The part of the identity that is neither slice nor inputs. */
  readonly env: string;
  /** A process of its own: what may crash, what is measured by itself, what is Python (design §4). */
  readonly mustBeApart: boolean;
  readonly levels: readonly string[];
  readonly arms: readonly ArmRef[];
  /** Each value once: [input name, reference]; a whole handle stands under "*". */
  readonly inputs: readonly (readonly [string, ValueRef])[];
  readonly isWhole: boolean;
  /** The lists this step iterates over, in order of declaration; empty where it opens no level. */
  readonly eaches: readonly ValueRef[];
  /** Output properties that some each() reads whole. */
  readonly eachOutputs: readonly string[];
  /** Steps on the longest way from here to the end of the flow: the larger, the sooner it should run. */
  readonly height: number;
}

export interface SwitchPlan {
  readonly name: string;
  readonly declaration: SwitchDeclaration;
  readonly levels: readonly string[];
  readonly arms: readonly ArmRef[];
}

export type Member =
  | { readonly kind: "task"; readonly step: StepPlan }
  | { readonly kind: "level"; readonly step: StepPlan }
  | { readonly kind: "switch"; readonly plan: SwitchPlan };

export const ROOT_LEVEL = "";

/** `environments`: identity of the Python of each Python step, by step name. */
export function planFlow(
  flowPackage: FlowPackage,
  environments: Readonly<Record<string, string>>,
): FlowPlan {
  const { graph } = flowPackage;
  const heights = stepHeights(graph.steps, graph.switches);
  const eachOutputs = outputsReadByEach(graph.steps, graph.switches);
  const steps = new Map<string, StepPlan>();
  for (const [position, declaration] of graph.steps.entries()) {
    const code = defined(flowPackage.steps[declaration.name], `code of step ${declaration.name}`);
    const isWhole = "whole" in declaration.inputs;
    const inputs: [string, ValueRef][] =
      "whole" in declaration.inputs
        ? [[WHOLE_INPUT, declaration.inputs.whole]]
        : Object.entries(declaration.inputs.fields);
    steps.set(declaration.name, {
      name: declaration.name,
      position,
      declaration,
      code,
      env: environments[declaration.name] ?? environmentIdOf(code),
      mustBeApart: code.kind === "python" || code.externals.length > 0,
      levels: declaration.levels,
      arms: declaration.arms,
      inputs,
      isWhole,
      eaches: inputs.flatMap(([, ref]) => (ref.k === "each" ? [ref.of] : [])),
      eachOutputs: [...(eachOutputs.get(declaration.name) ?? [])],
      height: heights.get(declaration.name) ?? 1,
    });
  }
  const switches = new Map(
    graph.switches.map((declaration) => [
      declaration.name,
      { name: declaration.name, declaration, levels: declaration.levels, arms: declaration.arms },
    ]),
  );
  return { flow: graph.name, steps, switches, members: membersByLevel(steps, switches) };
}

/** The levels in which a value stands: one for each foreach whose index it depends on. */
export function levelsOfRef(plan: FlowPlan, ref: ValueRef): readonly string[] {
  switch (ref.k) {
    case "param":
    case "const":
    case "from":
    case "source":
      return [];
    case "out":
      return defined(plan.steps.get(ref.step), `step ${ref.step}`).levels;
    case "switch":
      return defined(plan.switches.get(ref.name), `switch ${ref.name}`).levels;
    case "each":
      return levelsOfRef(plan, ref.of);
    case "collect":
      return levelsOfRef(plan, ref.of).slice(0, -1);
  }
}

/** The case that `value` chooses. @throws MfError SWITCH_UNMATCHED */
export function chosenCase({ name, declaration: { cases } }: SwitchPlan, value: string): string {
  const chosen = Object.hasOwn(cases, value) ? value : "else";
  if (Object.hasOwn(cases, chosen)) return chosen;
  throw new MfError("SWITCH_UNMATCHED", {
    switch: name,
    value,
    cases: Object.keys(cases).join(", "),
  });
}

function membersByLevel(
  steps: ReadonlyMap<string, StepPlan>,
  switches: ReadonlyMap<string, SwitchPlan>,
): Map<string, Member[]> {
  const members = new Map<string, Member[]>([[ROOT_LEVEL, []]]);
  const add = (level: string | undefined, member: Member): void => {
    const name = level ?? ROOT_LEVEL;
    const list = members.get(name) ?? [];
    list.push(member);
    members.set(name, list);
  };
  for (const plan of switches.values()) add(plan.levels.at(-1), { kind: "switch", plan });
  for (const step of steps.values()) {
    add(step.levels.at(-1), { kind: "task", step });
    if (step.eaches.length > 0) add(step.levels.at(-2), { kind: "level", step });
  }
  return members;
}

function stepHeights(
  steps: readonly StepDeclaration[],
  switches: readonly SwitchDeclaration[],
): Map<string, number> {
  const heights = new Map<string, number>();
  const byName = new Map(switches.map((item) => [item.name, item]));
  for (const step of [...steps].reverse()) {
    const height = heights.get(step.name) ?? 1;
    heights.set(step.name, height);
    const raise = (name: string): void => {
      heights.set(name, Math.max(heights.get(name) ?? 1, height + 1));
    };
    for (const ref of refsOf(step)) forEachProducer(ref, byName, raise);
    for (const arm of step.arms) {
      const decision = byName.get(arm.switch);
      if (decision !== undefined) forEachProducer(decision.on, byName, raise);
    }
  }
  return heights;
}

function forEachProducer(
  ref: ValueRef,
  switches: ReadonlyMap<string, SwitchDeclaration>,
  visit: (step: string) => void,
): void {
  if (ref.k === "out") visit(ref.step);
  else if (ref.k === "each" || ref.k === "collect") forEachProducer(ref.of, switches, visit);
  else if (ref.k === "switch") {
    const decision = switches.get(ref.name);
    if (decision === undefined) return;
    forEachProducer(decision.on, switches, visit);
    for (const value of Object.values(decision.cases)) forEachProducer(value, switches, visit);
  }
}

/** Workers cut these lists into element tables while they have them in hand. */
function outputsReadByEach(
  steps: readonly StepDeclaration[],
  switches: readonly SwitchDeclaration[],
): Map<string, Set<string>> {
  const outputs = new Map<string, Set<string>>();
  const byName = new Map(switches.map((item) => [item.name, item]));
  const note = (ref: ValueRef, rest: readonly string[]): void => {
    if (ref.k === "out") {
      const path = [...ref.path, ...rest];
      const [name] = path;
      if (path.length !== 1 || name === undefined) return;
      const names = outputs.get(ref.step) ?? new Set();
      outputs.set(ref.step, names.add(name));
    } else if (ref.k === "switch") {
      for (const value of Object.values(byName.get(ref.name)?.cases ?? {}))
        note(value, [...ref.path, ...rest]);
    }
  };
  for (const step of steps) {
    for (const ref of refsOf(step)) if (ref.k === "each") note(ref.of, []);
  }
  return outputs;
}

function refsOf(step: StepDeclaration): readonly ValueRef[] {
  return "whole" in step.inputs ? [step.inputs.whole] : Object.values(step.inputs.fields);
}
