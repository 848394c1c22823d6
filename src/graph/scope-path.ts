/**
 * Where a value exists: the foreachs ("fit") and switch arms ("route=big") around it, outermost first. The same rules as the
 * types in src/flow/handle.ts, for flows that were not compiled. A "=" cannot occur in a step's name.
 */
import type { ArmRef } from "./flow-graph.ts";

export type ScopePath = readonly string[];

export function armSegment(arm: ArmRef): string {
  return `${arm.switch}=${arm.case}`;
}

export function isArm(segment: string): boolean {
  return segment.includes("=");
}

export function levelsIn(scope: ScopePath): string[] {
  return scope.filter((segment) => !isArm(segment));
}

export function armsIn(scope: ScopePath): ArmRef[] {
  return scope.filter(isArm).map((segment) => {
    const cut = segment.indexOf("=");
    return { switch: segment.slice(0, cut), case: segment.slice(cut + 1) };
  });
}

export function isWithin(inner: ScopePath, outer: ScopePath): boolean {
  return outer.every((segment, index) => inner[index] === segment);
}

/** The one scope in which all the others' values exist too; otherwise two that exclude each other. */
export function deepestScope(
  scopes: readonly ScopePath[],
): { readonly scope: ScopePath } | { readonly mixed: readonly [ScopePath, ScopePath] } {
  let deepest: ScopePath = [];
  for (const scope of scopes) {
    if (scope.length > deepest.length) deepest = scope;
  }
  const stray = scopes.find((scope) => !isWithin(deepest, scope));
  return stray === undefined ? { scope: deepest } : { mixed: [stray, deepest] };
}
