/** The fact that a succeeded attempt leaves behind. */
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import type { StoredOutput } from "../../store/ports.ts";
import { defined } from "../../std/assert.ts";
import type { AttemptOutcome } from "../../task/host-messages.ts";
import type { TaskUnit } from "./run-units.ts";

export interface FactOrigin {
  readonly flow: string;
  readonly by: string;
  readonly at: number;
}

export function taskFact(task: TaskUnit, outcome: AttemptOutcome, origin: FactOrigin): Fact {
  const identity = defined(task.identity, "identity of a task that ran");
  const outputs: Record<string, ArtifactRef> = {};
  for (const [name, output] of Object.entries<StoredOutput>(outcome.outputs ?? {}))
    outputs[name] = output.ref;
  return {
    v: 1,
    memoKey: identity.memoKey,
    flow: origin.flow,
    step: task.step.name,
    code: task.step.code.codeId,
    env: task.step.env,
    seed: identity.seed,
    inputs: identity.inputIds,
    outputs,
    by: origin.by,
    at: origin.at,
    wallMs: outcome.wallMs,
    cpuMs: outcome.cpuMs,
    rssBytesMax: outcome.rssBytesMax,
  };
}
