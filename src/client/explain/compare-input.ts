/** What of a task's inputs is not what it was, and who made the difference. */
import { inputRefs, innerRef, refText, sourceSteps, stepNamed } from "../../graph/queries.ts";
import type { FlowGraph, ValueRef } from "../../graph/flow-graph.ts";
import type { TaskOutput } from "../../engine/lookup/run-outputs.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import { taskText } from "../../model/ids.ts";
import type { TaskSide } from "./task-side.ts";
import type { InputReason, Reason } from "./reasons.ts";
import type { RunView } from "./run-view.ts";

type Compare = (before: TaskSide, after: TaskSide) => Promise<readonly Reason[]>;

export async function compareInputs(
  before: TaskSide,
  after: TaskSide,
  compare: Compare,
): Promise<readonly Reason[]> {
  const [old, next] = [before.identity.inputs, after.identity.inputs];
  const names = new Set([...Object.keys(next), ...Object.keys(old)]);
  const reasons: Reason[] = [];
  for (const name of names) {
    if (old[name] === next[name]) continue;
    const input = {
      name,
      before,
      after,
      was: await refOf(before, name),
      is: await refOf(after, name),
    };
    reasons.push(...(await inputReasons(input, compare)));
  }
  return reasons;
}

interface ComparedInput {
  readonly name: string;
  readonly before: TaskSide;
  readonly after: TaskSide;
  readonly was: ValueRef | undefined;
  readonly is: ValueRef | undefined;
}

async function refOf({ view, step }: TaskSide, name: string): Promise<ValueRef | undefined> {
  const graph = (await view.flowPackage())?.graph;
  const declaration = graph === undefined ? undefined : stepNamed(graph, step);
  return declaration === undefined
    ? undefined
    : inputRefs(declaration).find((input) => input.name === name)?.ref;
}

async function inputReasons(input: ComparedInput, compare: Compare): Promise<readonly Reason[]> {
  const { is, before, after } = input;
  const wiring = rewired(input);
  if (wiring !== undefined) return [wiring];
  const inner = is === undefined ? undefined : innerRef(is);
  if (inner?.k === "param") return paramReasons(inner.name, before.view, after.view);
  if (inner?.k === "from") return [versionReason(inner.pathspec, before, after)];
  if (inner?.k === "source") return [sourceReason(inner.spec, before, after)];
  if (inner?.k === "out" || inner?.k === "switch") return [await madeReason(input, compare)];
  return [otherReason(input)];
}

/** The input is another one, or there is none on one side. */
function rewired({ name, before, after, was, is }: ComparedInput): Reason | undefined {
  const [a, b] = [was, is].map((ref) => (ref === undefined ? undefined : refText(ref)));
  const isBoth = name in before.identity.inputs && name in after.identity.inputs;
  if (isBoth && (a === undefined || b === undefined || a === b)) return undefined;
  return { k: "wiring", input: name, ...given("before", a), ...given("after", b) };
}

/** What it was is not known any more. */
function otherReason({ name, before, after, is }: ComparedInput): Reason {
  const [a, b] = [before.identity.inputs[name] ?? "", after.identity.inputs[name] ?? ""];
  const source = is === undefined ? name : refText(is);
  return { k: "input", input: name, source, before: a, after: b };
}

function sourceReason(name: string, before: TaskSide, after: TaskSide): Reason {
  const versionIn = ({ view }: TaskSide): string => view.sources.get(name) ?? "?";
  return { k: "source", name, before: versionIn(before), after: versionIn(after) };
}

function given<K extends "before" | "after">(
  key: K,
  value: string | undefined,
): Partial<Record<K, string>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, string>>);
}

/** One parameter, or of all of them those that differ. */
function paramReasons(name: string, before: RunView, after: RunView): Reason[] {
  const names =
    name === "*" ? new Set([...after.params.keys(), ...before.params.keys()]) : new Set([name]);
  return [...names].flatMap((param): Reason[] => {
    const [was, is] = [before.params.get(param), after.params.get(param)];
    if (was?.id === is?.id) return [];
    return [
      { k: "parameter", name: param, ...given("before", was?.text), ...given("after", is?.text) },
    ];
  });
}

function versionReason(pathspec: string, before: TaskSide, after: TaskSide): Reason {
  const made = ({ view }: TaskSide): { id: string } => ({ id: view.versions.get(pathspec) ?? "?" });
  return { k: "version", pathspec, before: made(before), after: made(after) };
}

async function madeReason(input: ComparedInput, compare: Compare): Promise<InputReason> {
  const { name, before, after, is } = input;
  const ref = is as ValueRef;
  const base: InputReason = {
    k: "input",
    input: name,
    source: refText(ref),
    before: before.identity.inputs[name] ?? "",
    after: after.identity.inputs[name] ?? "",
  };
  const graph = (await after.view.flowPackage())?.graph;
  if (graph === undefined) return base;
  for (const step of sourceSteps(graph, ref)) {
    const found = await changedMakers({ graph, step, ref }, before, after);
    const [first] = found.changed;
    const isList = ref.k === "collect";
    const counts = isList ? { counts: { ...found.counts, changed: found.changed.length } } : {};
    if (first === undefined) {
      if (isList && found.counts.before !== found.counts.after) return { ...base, ...counts };
      continue;
    }
    const because = await compare(
      { ...before, step, index: first.was.index, identity: first.was.fact },
      { ...after, step, index: first.is.index, identity: first.is.fact },
    );
    const { by, at } = first.is.fact;
    const maker = { task: taskText(first.is), run: after.view.run, by, at, because };
    return { ...base, ...counts, maker };
  }
  return base;
}

interface ChangedMakers {
  readonly counts: { readonly before: number; readonly after: number };
  readonly changed: readonly { readonly was: TaskOutput; readonly is: TaskOutput }[];
}

/** Tasks of `step` that the reader reads and that came to something else. */
async function changedMakers(
  { graph, step, ref }: { graph: FlowGraph; step: string; ref: ValueRef },
  before: TaskSide,
  after: TaskSide,
): Promise<ChangedMakers> {
  const inner = innerRef(ref);
  const [artifact] = inner.k === "out" && inner.step === step ? inner.path : [];
  // Of a list its elements are read: all of those that share the index around it.
  const depth = stepNamed(graph, step)?.levels.length ?? 0;
  const shared = Math.min(depth - (ref.k === "collect" ? 1 : 0), after.index.length);
  const isRead = ({ index }: TaskOutput): boolean =>
    index.slice(0, shared).join(",") === after.index.slice(0, shared).join(",");
  const old = (await before.view.tasksOf(step)).filter(isRead);
  const next = (await after.view.tasksOf(step)).filter(isRead);
  const known = new Map(old.map((output) => [taskText(output), output]));
  const idOf = ({ fact }: TaskOutput): string =>
    artifact === undefined ? resultIdOf(fact) : (fact.outputs[artifact]?.id ?? "");
  const changed = next.flatMap((is) => {
    const was = known.get(taskText(is));
    return was === undefined || idOf(was) === idOf(is) ? [] : [{ was, is }];
  });
  return { counts: { before: old.length, after: next.length }, changed };
}
