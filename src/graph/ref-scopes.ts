/**
 * In which scope does a ref's value exist? Answers from the scopes worked out so far, and reports refs that lead nowhere and
 * wrong uses of each() and collect() on the way.
 */
import type { DeclaredFlow } from "./declared-flow.ts";
import type { ValueRef } from "./flow-graph.ts";
import type { GraphProblem, GraphProblemCode } from "./graph-problem.ts";
import { refText } from "./queries.ts";
import { isListSource } from "./source-spec.ts";
import { isArm } from "./scope-path.ts";
import type { ScopePath } from "./scope-path.ts";

/** What is known while going through the declarations. */
export interface BuildState {
  readonly flow: DeclaredFlow;
  readonly stepScopes: Map<string, ScopePath>;
  readonly switchScopes: Map<string, ScopePath>;
  readonly problems: GraphProblem[];
}

/** The scope of a ref's value; reports refs that lead nowhere and wrong uses of collect() and each(). */
export function scopeOf(state: BuildState, at: string, ref: ValueRef): ScopePath {
  switch (ref.k) {
    case "const":
    case "from":
    case "source":
      return [];
    case "param":
      checkParam(state, at, ref.name);
      return [];
    case "out":
      return state.stepScopes.get(ref.step) ?? unknownSource(state, at, ref.step);
    case "switch":
      return state.switchScopes.get(ref.name) ?? unknownSource(state, at, ref.name);
    case "each":
      report(state, at, "EACH_MISPLACED", {
        message: `"${at}" uses ${refText(ref)} where a value is due.`,
        remedy: "each() may only stand directly among a step's inputs: { item: each(load.items) }.",
      });
      return scopeOf(state, at, ref.of);
    case "collect":
      return collectedScope(state, at, ref);
  }
}

function collectedScope(
  state: BuildState,
  at: string,
  ref: ValueRef & { k: "collect" },
): ScopePath {
  const inner = scopeOf(state, at, ref.of);
  const last = inner.at(-1);
  if (last === undefined) {
    report(state, at, "COLLECT_OUTSIDE_FOREACH", {
      message: `"${at}" uses ${refText(ref)}, but no each() leads to ${refText(ref.of)}.`,
      remedy: `Use ${refText(ref.of)} itself; it is one value.`,
    });
    return inner;
  }
  if (isArm(last)) {
    report(state, at, "COLLECT_IN_ARM", {
      message: `"${at}" uses ${refText(ref)}, but ${refText(ref.of)} stands in switch arm ${last}, not in a foreach of its own.`,
      remedy: "Let the arm return it, and collect() the handle that switch() returned.",
    });
    return inner;
  }
  return inner.slice(0, -1);
}

function checkParam(state: BuildState, at: string, name: string): void {
  if (name === "*" || state.flow.params.some((param) => param.name === name)) return;
  const known = state.flow.params.map((param) => param.name).join(", ");
  report(state, at, "PARAM_UNKNOWN", {
    message: `"${at}" reads params.${name}, which flow "${state.flow.name}" does not declare.`,
    remedy: known === "" ? "Declare it: flow(name, { … })." : `Declared are: ${known}.`,
  });
}

/** Kinds of parameters whose value can never be a list. */
const SCALAR_KINDS = new Set(["string", "number", "flag", "one-of", "file"]);

/** Reports an each() over what can never be a list. */
export function checkEach(state: BuildState, at: string, of: ValueRef): void {
  const kind =
    of.k === "param" ? state.flow.params.find((param) => param.name === of.name)?.kind : undefined;
  const what = eachRefusal(of, kind);
  if (what === undefined) return;
  report(state, at, "EACH_NOT_LIST", {
    message: `"${at}" uses each(${refText(of)}), but ${what}.`,
    remedy: "Give each() an artifact that is an array, a typed array or a Set.",
  });
}

function eachRefusal(of: ValueRef, paramKind: string | undefined): string | undefined {
  if (of.k === "each") return undefined; // scopeOf reports it as misplaced
  if (of.k === "out" && of.path.length === 0)
    return "that is the whole object the step returns, not one of its lists";
  if (of.k === "source")
    return isListSource(of.spec) ? undefined : "that is one file; a directory ends with a slash";
  if (of.k !== "param") return undefined;
  if (of.name === "*") return "that is the object of all parameters";
  return paramKind !== undefined && SCALAR_KINDS.has(paramKind)
    ? `that parameter is a ${paramKind}`
    : undefined;
}

function unknownSource(state: BuildState, at: string, source: string): ScopePath {
  const known = [...state.stepScopes.keys(), ...state.switchScopes.keys()].join(", ");
  report(state, at, "INPUT_UNKNOWN", {
    message: `"${at}" reads "${source}", which is not declared before it.`,
    remedy: known === "" ? "Declare that step first." : `Declared before it are: ${known}.`,
  });
  return [];
}

export function report(
  state: Pick<BuildState, "problems">,
  step: string,
  code: GraphProblemCode,
  text: { readonly message: string; readonly remedy: string },
): void {
  state.problems.push({ code, step, ...text });
}
