/** Checks of switches: has every possible value an arm, and does each arm result in a value that exists outside of it? */
import type { DeclaredFlow, DeclaredSwitch } from "./declared-flow.ts";
import type { ValueRef } from "./flow-graph.ts";
import { refText } from "./queries.ts";
import { report, scopeOf } from "./ref-scopes.ts";
import type { BuildState } from "./ref-scopes.ts";
import { armSegment, isArm, isWithin } from "./scope-path.ts";
import type { ScopePath } from "./scope-path.ts";

/** The arm for every value that no other arm is for. */
export const ELSE_CASE = "else";

/** Checks the arms against the values that `on` can have, where they are known while the graph is built. */
export function checkSwitchValue(state: BuildState, item: DeclaredSwitch, on: ValueRef): void {
  const names = Object.keys(item.cases);
  if (names.length === 0) {
    report(state, item.name, "SWITCH_EMPTY", {
      message: `Switch "${item.name}" has no arms.`,
      remedy: "Give it one for each value: { big: (s) => s.step(…), small: (s) => s.step(…) }.",
    });
    return;
  }
  const possible = knownValues(state.flow, on);
  if (possible === undefined) return;
  const missing = possible.filter((value) => !names.includes(value));
  if (missing.length > 0 && !names.includes(ELSE_CASE)) {
    report(state, item.name, "SWITCH_CASE_MISSING", {
      message: `Switch "${item.name}" has no arm for ${missing.join(", ")} of ${refText(on)}.`,
      remedy: `Add the missing arm(s), or one named ${ELSE_CASE}.`,
    });
  }
  for (const name of names.filter((name) => name !== ELSE_CASE && !possible.includes(name))) {
    report(state, item.name, "SWITCH_CASE_UNKNOWN", {
      message: `Switch "${item.name}" has an arm "${name}", but ${refText(on)} is one of ${possible.join(", ")}.`,
      remedy: "Rename or remove that arm.",
    });
  }
}

function knownValues(flow: DeclaredFlow, on: ValueRef): readonly string[] | undefined {
  if (on.k !== "param") return undefined;
  const param = flow.params.find((item) => item.name === on.name);
  return param?.kind === "flag" ? ["true", "false"] : param?.choices;
}

/** Each arm's result must exist once the arm is done: in the arm's own scope or around the switch. */
export function checkCases(state: BuildState, item: DeclaredSwitch): void {
  const around = state.switchScopes.get(item.name) ?? [];
  for (const [name, result] of Object.entries(item.cases)) {
    if (result === undefined) continue;
    const arm = [...around, armSegment({ switch: item.name, case: name })];
    checkResult(state, { item, name, result, arm });
  }
}

interface ArmResult {
  readonly item: DeclaredSwitch;
  readonly name: string;
  readonly result: ValueRef;
  readonly arm: ScopePath;
}

function checkResult(state: BuildState, { item, name, result, arm }: ArmResult): void {
  const scope = scopeOf(state, item.name, result);
  if (isWithin(arm, scope)) return;
  const rest = scope.slice(arm.length);
  if (isWithin(scope, arm) && !rest.some(isArm)) {
    report(state, item.name, "ARM_RESULT_INSIDE_FOREACH", {
      message: `Arm "${name}" of switch "${item.name}" results in ${refText(result)}, which has one value for each element of a foreach.`,
      remedy: `Return collect(${refText(result)}).`,
    });
    return;
  }
  report(state, item.name, "ARM_RESULT_ELSEWHERE", {
    message: `Arm "${name}" of switch "${item.name}" results in ${refText(result)}, which does not always exist in that arm.`,
    remedy: "Return a handle of a step of this arm, or of a step outside the switch.",
  });
}
