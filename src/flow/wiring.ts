/** The pointers that are not made by a step: each(), collect() and from(). */
import { makePointer, targetOf } from "./pointer.ts";
import type { Collectable, Each, ElementOf, List, Parent, Ref } from "./handle.ts";

/**
 * Runs the step that reads it once for every element of a list. Several each() in one step give every combination; a step
 * that reads the result of a foreach stands in it too, one task for each element, until collect() leaves it.
 * @example f.step('fit', { X: load.X, lr: each(load.lrs), depth: each(load.depths) }, ({ X, lr, depth }) => …)
 */
export function each<L extends List, S extends string>(list: Ref<L, S>): Each<ElementOf<L>, S> {
  return wrap("each", list) as Each<ElementOf<L>, S>;
}

/**
 * Leaves one foreach: an array of what its tasks stored, in the order of the elements.
 * @example f.step('best', { all: collect(fit.loss) }, ({ all }) => ({ best: Math.min(...all) }))
 */
export function collect<T, S extends string>(
  value: Ref<T, S> & Collectable<S>,
): Ref<T[], Parent<S>> {
  return wrap("collect", value) as Ref<T[], Parent<S>>;
}

/**
 * A version of another run as an input: resolved when a run begins, and part of what its readers depend on. One task of a foreach has
 * its index in brackets, a part of an artifact its path: `from('sweep/latest/fit[3].model.weights')`.
 * @example f.step('report', { model: from<Model>('sweep/latest/best.model') }, ({ model }) => …)
 */
export function from<T = unknown>(pathspec: `${string}/${string}/${string}`): Ref<T> {
  return makePointer({
    ref: { k: "from", pathspec: slashed(pathspec) },
    owner: undefined,
  }) as Ref<T>;
}

/** `flow/run/step.artifact` (as handles are written) and `flow/run/step/artifact` (as pathspecs are) mean the same. */
function slashed(pathspec: string): string {
  const parts = pathspec.split("/");
  const [flow, run, step] = parts;
  if (parts.length !== 3 || flow === undefined || run === undefined || step === undefined)
    return pathspec;
  return [flow, run, step.replace(".", "/")].join("/");
}

function wrap(k: "each" | "collect", value: unknown): unknown {
  const target = targetOf(value);
  if (target === undefined) {
    throw new TypeError(
      `${k}() takes a handle, such as ${k}(load.rows); got ${value === null ? "null" : typeof value}. For a constant: ${k}(flow.value([…])).`,
    );
  }
  return makePointer({ ref: { k, of: target.ref }, owner: target.owner });
}
