/** What a from() points to when a run begins: one artifact of one task of another run. */
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import { taskText } from "../../model/ids.ts";
import { parsePathspec } from "../../model/pathspec.ts";
import type { Store } from "../../store/ports.ts";
import { findRun } from "./run-lookup.ts";
import { taskOutputs } from "./run-outputs.ts";

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, RUN_NOT_FOUND */
export async function resolveVersion(store: Store, text: string): Promise<InputSource> {
  const spec = parsePathspec(text);
  if (
    spec.k === "content" ||
    spec.run === undefined ||
    spec.step === undefined ||
    spec.artifact === undefined
  ) {
    throw new MfError("PATHSPEC_INVALID", {
      text,
      reason: "a version names an artifact: flow/run/step/artifact",
    });
  }
  const { run } = await findRun(store, spec.flow, spec.run);
  const outputs = await taskOutputs(store, run, spec.step);
  const index = (spec.index ?? []).join(",");
  const task = outputs.find((output) => output.index.join(",") === index);
  if (task === undefined) {
    const known = outputs.slice(0, 5).map(taskText).join(", ");
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason:
        spec.index === undefined && outputs.length > 0
          ? `${spec.step} stands in a foreach there, and from() reads one task`
          : "that task has not succeeded in that run",
      hint: known === "" ? "`mf status RUN` shows its steps." : `There are: ${known}.`,
    });
  }
  const ref = Object.hasOwn(task.fact.outputs, spec.artifact)
    ? task.fact.outputs[spec.artifact]
    : undefined;
  if (ref === undefined) {
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: `${taskText(task)} has no artifact ${spec.artifact}`,
      hint: `It has: ${Object.keys(task.fact.outputs).join(", ")}.`,
    });
  }
  return spec.path === undefined
    ? { k: "artifact", id: ref.id }
    : { k: "artifact", id: ref.id, path: spec.path };
}
