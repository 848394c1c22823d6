/**
 * What a succeeded attempt leaves behind: its fact, its small outputs, and a fact for each list that was cut into elements.
 * Made where the attempt ran and, of another peer's outcome, once more by the run's owner.
 */
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { defined } from "../../std/assert.ts";
import type { InlineContent, StoredOutput } from "../../store/ports.ts";
import type { AttemptBatch, AttemptOutcome } from "../../task/host-messages.ts";
import type { BatchOrigin } from "../ports.ts";
import { elementsFact } from "./element-memo.ts";

/** A batch as far as facts are concerned. */
export interface RecordedBatch {
  readonly batch: Pick<AttemptBatch, "step" | "attempts"> & {
    readonly code: Pick<AttemptBatch["code"], "codeId">;
  };
  readonly origin: Pick<BatchOrigin, "run" | "env" | "tasks">;
}

export interface OutcomeRecord {
  /** Of the task. */
  readonly fact: Fact;
  /** Of the lists among its outputs that some each() reads. */
  readonly elementFacts: readonly Fact[];
  readonly outputs: readonly InlineContent[];
  readonly tables: readonly ElementTableOf[];
}

export interface ElementTableOf {
  readonly listId: Cid;
  readonly table: StoredOutput;
}

/** @param made by whom and when, as facts say it */
export function outcomeRecord(
  { batch, origin }: RecordedBatch,
  outcome: AttemptOutcome,
  made: { readonly by: string; readonly at: number },
): OutcomeRecord {
  const { memoKey, inputIds } = defined(origin.tasks[outcome.position], "a task for each outcome");
  const { seed } = defined(batch.attempts[outcome.position], "an attempt for each outcome");
  const refs: Record<string, ArtifactRef> = {};
  const outputs: InlineContent[] = [];
  for (const [name, { ref, data }] of Object.entries<StoredOutput>(outcome.outputs ?? {})) {
    refs[name] = ref;
    if (data !== undefined) outputs.push({ id: ref.id, data });
  }
  const tables = tablesOf(outcome);
  return {
    fact: {
      v: 1,
      memoKey,
      flow: origin.run.flow,
      step: batch.step,
      code: batch.code.codeId,
      env: origin.env,
      seed,
      inputs: inputIds,
      outputs: refs,
      by: made.by,
      at: made.at,
      wallMs: outcome.wallMs,
      cpuMs: outcome.cpuMs,
      rssBytesMax: outcome.rssBytesMax,
    },
    elementFacts: tables.map(({ listId, table }) => elementsFact(listId, table.ref, made)),
    outputs,
    tables,
  };
}

function tablesOf({ tables, outputs }: AttemptOutcome): ElementTableOf[] {
  if (tables === undefined) return [];
  return Object.entries(tables).flatMap(([name, table]) => {
    const list = outputs?.[name];
    return list === undefined ? [] : [{ listId: list.ref.id, table }];
  });
}

/** Tables small enough to go into the index. */
export function inlineTables(tables: readonly ElementTableOf[]): InlineContent[] {
  return tables.flatMap(({ table: { ref, data } }) =>
    data === undefined ? [] : [{ id: ref.id, data }],
  );
}
