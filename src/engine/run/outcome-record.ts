/**
 * What a succeeded attempt leaves behind: its fact, its small outputs, and a fact for each list that was cut into elements.
 * Made where the attempt ran and, of another peer's outcome, once more by the run's owner.
 */
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { defined } from "../../std/assert.ts";
import type { InlineContent, StoredOutput } from "../../store/ports.ts";
import type { AttemptBatch, AttemptOutcome, SignedOutcome } from "../../task/host-messages.ts";
import { onPage } from "../../trust/fact-page.ts";
import type { BatchOrigin } from "../ports.ts";
import { elementsFact } from "./element-memo.ts";
import type { FactMaker } from "./fact-maker.ts";

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
      run: origin.run.id,
    },
    elementFacts: tables.map(({ listId, table }) => elementsFact(listId, table.ref, made)),
    outputs,
    tables,
  };
}

/** What other peers made stays as they vouch for it; what was made here is signed here. */
export function outcomeRecords(
  recorded: RecordedBatch,
  outcomes: readonly AttemptOutcome[],
  maker: FactMaker,
): { readonly records: readonly OutcomeRecord[]; readonly pages: readonly InlineContent[] } {
  const at = maker.now();
  const pages = new Map<Cid, Uint8Array>();
  const own: Fact[][] = [];
  const records = outcomes.map((outcome) => {
    const { signed } = outcome;
    if (signed !== undefined) {
      pages.set(signed.page, signed.data);
      return signedRecord(recorded, outcome, signed);
    }
    const record = outcomeRecord(recorded, outcome, { by: outcome.by ?? maker.peer, at });
    if (outcome.by === undefined) own.push([record.fact, ...record.elementFacts]);
    return record;
  });
  if (own.length > 0) signOwn(records, outcomes, { own, maker, pages });
  return { records, pages: Array.from(pages, ([id, data]) => ({ id, data })) };
}

/** As the peer that ran it made it: the same time, the same name, on its page. */
export function signedRecord(
  recorded: RecordedBatch,
  outcome: AttemptOutcome,
  { by, at, page }: SignedOutcome,
): OutcomeRecord {
  const record = outcomeRecord(recorded, outcome, { by, at });
  const [fact, ...elementFacts] = onPage([record.fact, ...record.elementFacts], page);
  return { ...record, fact: defined(fact), elementFacts };
}

function signOwn(
  records: OutcomeRecord[],
  outcomes: readonly AttemptOutcome[],
  { own, maker, pages }: { own: Fact[][]; maker: FactMaker; pages: Map<Cid, Uint8Array> },
): void {
  const signed = maker.sign(own);
  for (const { id, data } of signed.pages) pages.set(id, data);
  const groups = signed.groups.values();
  for (const [position, record] of records.entries()) {
    if (outcomes[position]?.by !== undefined) continue;
    const [fact, ...elementFacts] = defined(groups.next().value, "a group for each");
    records[position] = { ...record, fact: defined(fact), elementFacts };
  }
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
