/** Random flows (foreach nests, products, switches, collects) and a naive interpreter that says what they must compute. */
import type { ArmRef, SwitchDeclaration, ValueRef } from "../../src/graph/flow-graph.ts";
import { collect, each, out, type FlowFixture, type StepFixture } from "./engine-fixture.ts";
import type { FakeStep } from "./fake-hosts.ts";

interface Value {
  readonly ref: ValueRef;
  readonly levels: readonly string[];
}

export interface RandomFlow {
  readonly fixture: FlowFixture;
  readonly steps: Readonly<Record<string, FakeStep>>;
}

/** `choices`: numbers a property test draws (and shrinks); used up one by one, then zero. */
export function randomFlow(choices: readonly number[]): RandomFlow {
  let at = 0;
  const pick = (count: number): number => (choices[at++] ?? 0) % count;
  const steps: StepFixture[] = [{ name: "s0" }];
  const switches: SwitchDeclaration[] = [];
  const values: Value[] = [{ ref: out("s0"), levels: [] }];
  const property = (value: Value, name: string): ValueRef => ({
    ...(value.ref as Extract<ValueRef, { k: "out" | "switch" }>),
    path: [name],
  });
  const addStep = (
    inputs: Record<string, ValueRef>,
    levels: readonly string[],
    arms: readonly ArmRef[] = [],
  ): Value => {
    const name = `s${steps.length}`;
    const own = Object.values(inputs).some((ref) => ref.k === "each") ? [...levels, name] : levels;
    steps.push({ name, inputs, levels: own, arms });
    return { ref: out(name), levels: own };
  };
  for (let i = 0; i < 7; i++) {
    const base = values[pick(values.length)] as Value;
    const near = values.filter((value) =>
      value.levels.every((level, depth) => base.levels[depth] === level),
    );
    const other = near[pick(near.length)] as Value;
    switch (pick(4)) {
      case 0:
        values.push(addStep({ x: property(base, "v"), y: property(other, "list") }, base.levels));
        break;
      case 1:
        if (base.levels.length < 3)
          values.push(
            addStep(
              {
                x: each(property(base, "list")),
                k: property(other, "v"),
                ...(pick(2) === 0 ? {} : { y: each(property(other, "list")) }),
              },
              base.levels,
            ),
          );
        break;
      case 2:
        if (base.levels.length > 0)
          values.push(addStep({ all: collect(property(base, "v")) }, base.levels.slice(0, -1)));
        break;
      default: {
        const name = `w${switches.length}`;
        const a = addStep({ x: property(base, "v") }, base.levels, [{ switch: name, case: "a" }]);
        const inner = addStep({ x: property(base, "list") }, base.levels, [
          { switch: name, case: "else" },
        ]);
        const b = addStep({ x: property(inner, "v") }, base.levels, [
          { switch: name, case: "else" },
        ]);
        switches.push({
          name,
          on: property(base, "c"),
          levels: base.levels,
          arms: [],
          cases: { a: a.ref, else: b.ref },
        });
        values.push({ ref: { k: "switch", name, path: [] }, levels: base.levels });
      }
    }
  }
  const functions = Object.fromEntries(
    steps.map((step) => [
      step.name,
      (inputs: Record<string, unknown>) => stepOutputs(step.name, inputs),
    ]),
  );
  return { fixture: { steps, switches }, steps: functions };
}

/** Lists of 0 to 3 elements, in no order and with repeats. */
function stepOutputs(name: string, inputs: Record<string, unknown>): Record<string, unknown> {
  const sorted = Object.keys(inputs)
    .sort()
    .map((key) => [key, inputs[key]]);
  let digest = 7;
  for (const char of JSON.stringify([name, sorted]))
    digest = (digest * 31 + char.charCodeAt(0)) % 1_000_003;
  return {
    v: digest,
    list: Array.from({ length: digest % 4 }, (_, i) => (digest * (i + 3)) % 5),
    c: digest % 2 === 0 ? "a" : "b",
  };
}

/** Task text -> outputs of every task that must run, computed by plain recursion. */
export function interpret({ fixture, steps }: RandomFlow): Map<string, Record<string, unknown>> {
  const byName = new Map(fixture.steps.map((step) => [step.name, step]));
  const decisions = new Map((fixture.switches ?? []).map((item) => [item.name, item]));
  const made = new Map<string, Record<string, unknown>>();

  const chosen = (name: string, index: readonly number[]): string => {
    const decision = decisions.get(name) as SwitchDeclaration;
    const value = String(valueOf(decision.on, index.slice(0, decision.levels.length)));
    return Object.hasOwn(decision.cases, value) ? value : "else";
  };
  const lists = (step: StepFixture, index: readonly number[]): unknown[][] =>
    Object.values(step.inputs ?? {}).flatMap((ref) =>
      ref.k === "each" ? [valueOf(ref.of, index) as unknown[]] : [],
    );
  const count = (level: string, index: readonly number[]): number =>
    lists(byName.get(level) as StepFixture, index).reduce(
      (product, list) => product * list.length,
      1,
    );
  const depthOf = (ref: ValueRef): readonly string[] => {
    if (ref.k === "out") return byName.get(ref.step)?.levels ?? [];
    if (ref.k === "switch") return decisions.get(ref.name)?.levels ?? [];
    return ref.k === "collect" ? depthOf(ref.of).slice(0, -1) : [];
  };

  function valueOf(ref: ValueRef, index: readonly number[]): unknown {
    if (ref.k === "out")
      return ref.path.reduce<unknown>(
        (value, key) => (value as Record<string, unknown>)[key],
        task(ref.step, index.slice(0, depthOf(ref).length)),
      );
    if (ref.k === "switch") {
      const own = index.slice(0, depthOf(ref).length);
      const value = valueOf(
        (decisions.get(ref.name) as SwitchDeclaration).cases[chosen(ref.name, own)] as ValueRef,
        own,
      );
      return ref.path.reduce<unknown>(
        (inner, key) => (inner as Record<string, unknown>)[key],
        value,
      );
    }
    if (ref.k !== "collect") throw new Error(`not in these flows: ${ref.k}`);
    const levels = depthOf(ref.of);
    const prefix = index.slice(0, levels.length - 1);
    return Array.from({ length: count(levels.at(-1) as string, prefix) }, (_, i) =>
      valueOf(ref.of, [...prefix, i]),
    );
  }

  function task(name: string, index: readonly number[]): Record<string, unknown> {
    const key = taskKey(name, index);
    const known = made.get(key);
    if (known !== undefined) return known;
    const step = byName.get(name) as StepFixture;
    const own = lists(step, index.slice(0, -1));
    let rest = index.at(-1) ?? 0;
    const elements: unknown[] = [];
    for (const list of own.toReversed()) {
      elements.unshift(list[rest % list.length]);
      rest = Math.floor(rest / list.length);
    }
    const inputs = Object.fromEntries(
      Object.entries(step.inputs ?? {}).map(([input, ref]) => [
        input,
        ref.k === "each" ? elements.shift() : valueOf(ref, index),
      ]),
    );
    const outputs = (steps[name] as FakeStep)(inputs, undefined as never);
    made.set(key, outputs);
    return outputs;
  }

  const indexes = (levels: readonly string[]): number[][] =>
    levels.reduce<number[][]>(
      (all, level) =>
        all.flatMap((index) =>
          Array.from({ length: count(level, index) }, (_, i) => [...index, i]),
        ),
      [[]],
    );
  for (const step of fixture.steps) {
    for (const index of indexes(step.levels ?? [])) {
      if ((step.arms ?? []).every((arm) => chosen(arm.switch, index) === arm.case))
        task(step.name, index);
    }
  }
  return made;
}

export function taskKey(step: string, index: readonly number[]): string {
  return index.length === 0 ? step : `${step}[${index.join(",")}]`;
}
