/** What a run's tasks made, read from its journal and the facts it names. */
import type { Fact } from "../../model/fact.ts";
import { taskText, type RunRef } from "../../model/ids.ts";
import type { TaskSucceeded } from "../../model/journal.ts";
import type { Store } from "../../store/ports.ts";

export interface TaskOutput {
  readonly step: string;
  readonly index: readonly number[];
  readonly fact: Fact;
}

/** In index order; where a task succeeded twice the last counts. */
export async function taskOutputs(
  store: Pick<Store, "journal" | "getResults">,
  run: RunRef,
  step: string,
): Promise<TaskOutput[]> {
  const byTask = new Map<string, TaskSucceeded>();
  for await (const entry of store.journal(run)) {
    if (entry.t !== "tasks-succeeded") continue;
    for (const task of entry.tasks) if (task.step === step) byTask.set(taskText(task), task);
  }
  const tasks = [...byTask.values()].sort((a, b) => compareIndex(a.index, b.index));
  const facts = await store.getResults(tasks);
  return tasks.flatMap((task, position) => {
    const fact = facts[position];
    return fact === undefined ? [] : [{ step: task.step, index: task.index, fact }];
  });
}

export function compareIndex(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
