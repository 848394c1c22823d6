/** What a task is, once everything it reads is there: its inputs, its seed and the key under which its fact is looked up. */
import { WHOLE_INPUT } from "../../graph/queries.ts";
import type { InputSource } from "../../model/fact.ts";
import { assert } from "../../std/assert.ts";
import { resolveRef, type ResolutionScope } from "./input-resolution.ts";
import { inputIds, memoKeyOf, seedOf } from "./memo-key.ts";
import { elementAt, type TaskIdentity, type TaskUnit } from "./run-units.ts";

/** @throws MfError INPUT_MISSING */
export function taskIdentity(
  scope: ResolutionScope,
  task: TaskUnit,
  runSeed: string,
): TaskIdentity {
  const { step, index } = task;
  let eachPosition = 0;
  const fields: Record<string, InputSource> = {};
  for (const [name, ref] of step.inputs) {
    if (ref.k === "each") {
      assert(task.level !== undefined, "a task of a foreach knows its level");
      fields[name] = elementAt(task.level, index.at(-1) ?? 0, eachPosition++);
    } else fields[name] = resolveRef(scope, ref, index);
  }
  const inputs = step.isWhole ? { whole: fields[WHOLE_INPUT] as InputSource } : { fields };
  const ids = inputIds(inputs);
  const seed = seedOf(scope.plan.flow, step.name, index, runSeed);
  const salt = step.declaration.options.cache.salt ?? "";
  const memoKey = memoKeyOf({ code: step.code.codeId, env: step.env, inputs: ids, seed, salt });
  return { inputs, inputIds: ids, seed, memoKey };
}
