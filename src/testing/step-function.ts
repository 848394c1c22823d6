import type { Ctx } from "../flow/context.ts";
import type { Callable } from "../flow/handle.ts";
import { targetOf } from "../flow/pointer.ts";

/**
 * The function of a step, to call it in a unit test. A property of the handle would clash with an artifact's name.
 * @example const { loss } = await stepFunction(fit)({ X, y, lr: 0.1 }, testContext());
 */
export function stepFunction<I, O>(step: Callable<I, O>): (inputs: I, ctx: Ctx) => Promise<O> {
  const fn = targetOf(step)?.fn;
  if (typeof fn !== "function") {
    throw new TypeError(
      "stepFunction() takes the handle that step() returned; this is none (a Python step has its function in its file).",
    );
  }
  return async (inputs, ctx) => (fn as (inputs: I, ctx: Ctx) => O | Promise<O>)(inputs, ctx);
}
