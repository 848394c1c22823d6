/** Every version of an artifact that any run made: what `mf ls-versions` shows. */
import { runText, taskText, type Cid } from "../model/ids.ts";
import { MfError } from "../model/errors.ts";
import type { MemoKey } from "../model/ids.ts";
import type { TaskSucceeded } from "../model/journal.ts";
import type { Store } from "../store/ports.ts";

export interface ArtifactVersion {
  /** `flow/step/name`, the step with its index. */
  readonly artifact: string;
  readonly id: Cid;
  /** The run that has it, `flow/id`. */
  readonly run: string;
  /** When it was made, ms since 1970. */
  readonly at: number;
  /** The peer that made it. */
  readonly by: string;
  readonly bytes: number;
  readonly kind: string;
  readonly code: string;
  readonly memoKey: MemoKey;
  /** Peers that hold it. */
  readonly peers: readonly string[];
}

/**
 * `prefix`: "", `flow`, `flow/step` or `flow/step/artifact`. Newest first; a version that several runs reused is listed once,
 * with the run that made it. @throws MfError PATHSPEC_INVALID
 */
export async function listVersions(store: Store, prefix: string): Promise<ArtifactVersion[]> {
  const [flow, step, artifact, ...rest] = prefix === "" ? [] : prefix.split("/");
  if (rest.length > 0 || (prefix !== "" && prefix.split("/").includes("")))
    throw new MfError("PATHSPEC_INVALID", {
      text: prefix,
      reason: "versions are named flow/step/artifact",
    });
  const versions: ArtifactVersion[] = [];
  const seen = new Set<MemoKey>();
  // Oldest first, so that the first run seen with a fact is the one that made it.
  for (const summary of (await store.runs(flow)).reverse()) {
    const tasks: TaskSucceeded[] = [];
    for await (const entry of store.journal(summary.run)) {
      if (entry.t !== "tasks-succeeded") continue;
      for (const task of entry.tasks) {
        if (
          seen.has(task.memoKey) ||
          (step !== undefined && step !== task.step && step !== taskText(task))
        )
          continue;
        seen.add(task.memoKey);
        tasks.push(task);
      }
    }
    const facts = await store.getResults(tasks);
    for (const [position, task] of tasks.entries()) {
      const fact = facts[position];
      for (const [name, ref] of Object.entries(fact?.outputs ?? {})) {
        if (fact === undefined || (artifact !== undefined && artifact !== name)) continue;
        const { memoKey, code, at, by } = fact;
        versions.push({
          artifact: `${summary.run.flow}/${taskText(task)}/${name}`,
          id: ref.id,
          run: runText(summary.run),
          at,
          by,
          bytes: ref.bytes,
          kind: ref.kind,
          code,
          memoKey,
          peers: [by],
        });
      }
    }
  }
  return versions.sort((a, b) => b.at - a.at);
}
