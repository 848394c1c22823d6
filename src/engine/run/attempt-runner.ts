/**
 * Takes a planned batch to a host and its outcomes to the record: resolves where the inputs are, sends, sorts what comes
 * back, and commits what succeeded. A worker is free for the next batch before the results of this one are durable.
 */
import { join } from "node:path";
import type { ErrorRecord } from "../../model/errors.ts";
import { taskText, type Cid, type RunRef } from "../../model/ids.ts";
import type { TaskSucceeded } from "../../model/journal.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import { defined } from "../../std/assert.ts";
import type { ContentLocation, InlineContent, Store } from "../../store/ports.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptProgress,
  AttemptSpec,
  BatchResult,
} from "../../task/host-messages.ts";
import type { BatchOrigin, HostPool } from "../ports.ts";
import { BATCH_YIELD_MS } from "../scheduler/batch-size.ts";
import type { BatchScheduler, PlannedBatch } from "../scheduler/batch-scheduler.ts";
import { addContentIds, type ContentCache } from "./content-cache.ts";
import type { ElementLoader } from "./element-loader.ts";
import type { FactMaker } from "./fact-maker.ts";
import type { FlowPlan, StepPlan } from "./flow-plan.ts";
import { logFileOf } from "./log-file.ts";
import { inlineTables, outcomeRecords, type RecordedBatch } from "./outcome-record.ts";
import type { RunMachineEvent } from "./run-events.ts";
import type { RunRecorder } from "./run-recorder.ts";
import type { TaskUnit } from "./run-units.ts";

export interface AttemptRunnerDeps {
  readonly store: Pick<Store, "home" | "scratchDir">;
  readonly hosts: Pick<HostPool, "runBatch" | "bringsContent">;
  readonly maker: FactMaker;
  readonly contents: ContentCache;
  readonly recorder: RunRecorder;
  readonly scheduler: BatchScheduler<TaskUnit>;
  readonly plan: FlowPlan;
  readonly accept: (event: RunMachineEvent) => void;
  /** An input that a task of this run made is nowhere any more: who made it has to make it again. */
  readonly inputLost: (error: ErrorRecord) => void;
}

export interface AttemptRunnerOptions {
  readonly run: RunRef;
  readonly signal: AbortSignal;
  readonly memBytesDefault: number;
  readonly labels: readonly string[];
  readonly maxMemBytes: number;
}

export class AttemptRunner {
  readonly #deps: AttemptRunnerDeps;
  readonly #options: AttemptRunnerOptions;
  readonly #progress = new Map<string, Map<string, AttemptProgress>>();
  #elements: ElementLoader | undefined;
  #batchCount = 0;
  #scratchCount = 0;

  constructor(deps: AttemptRunnerDeps, options: AttemptRunnerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** The loader needs scratch paths and the runner needs its tables, so one of them is told later. */
  useElements(elements: ElementLoader): void {
    this.#elements = elements;
  }

  scratchFile(): string {
    return join(this.#deps.store.scratchDir, `${this.#options.run.id}-${this.#scratchCount++}.seg`);
  }

  /** Mean of the running attempts' fractions and the latest note. */
  fractionOf(step: string): { fraction?: number; note?: string } {
    const reports = [...(this.#progress.get(step)?.values() ?? [])];
    const last = reports.at(-1);
    if (last === undefined) return {};
    const fraction = reports.reduce((sum, report) => sum + report.fraction, 0) / reports.length;
    return last.note === undefined ? { fraction } : { fraction, note: last.note };
  }

  async run(planned: PlannedBatch<TaskUnit>): Promise<void> {
    const { contents, hosts, scheduler } = this.#deps;
    const step = defined(this.#deps.plan.steps.get(planned.step));
    let isEnded = false;
    const end = (): void => {
      if (!isEnded) scheduler.ended(planned);
      isEnded = true;
    };
    try {
      const needs = planned.tasks.map(contentIdsOf);
      const ids = new Set<Cid>();
      for (const need of needs) for (const id of need) ids.add(id);
      const found = ids.size === 0 ? new Map<Cid, ContentLocation>() : await contents.locate(ids);
      // Where the pool brings content, only the host that needs it can tell that it is nowhere.
      const tasks =
        found.size === ids.size || hosts.bringsContent === true
          ? planned.tasks
          : this.#withContent(planned.tasks, needs, found);
      const sent = {
        batch: this.#batch(step, tasks, found),
        origin: this.#origin(step, tasks, planned),
      };
      const result: BatchResult =
        tasks.length === 0
          ? { outcomes: [] }
          : await hosts.runBatch(sent.batch, {
              signal: this.#options.signal,
              exclusive: planned.isExclusive,
              origin: sent.origin,
              onProgress: (progress) => this.#progressed(step.name, progress),
            });
      end();
      this.#settle(tasks, sent, result);
    } finally {
      end();
    }
  }

  /** Tasks whose content is gone fail by themselves; the others go on. */
  #withContent(
    tasks: readonly TaskUnit[],
    needs: readonly ReadonlySet<Cid>[],
    found: ReadonlyMap<Cid, ContentLocation>,
  ): TaskUnit[] {
    return tasks.filter((task, position) => {
      const missing = [...defined(needs[position])].find((id) => !found.has(id));
      if (missing !== undefined)
        this.#deps.accept({
          t: "attempt-failed",
          task,
          error: { code: "CONTENT_MISSING", details: { id: missing } },
        });
      return missing === undefined;
    });
  }

  #batch(
    step: StepPlan,
    tasks: readonly TaskUnit[],
    contents: ReadonlyMap<Cid, ContentLocation>,
  ): AttemptBatch {
    const { options } = step.declaration;
    const { run } = this.#options;
    return {
      id: this.#batchCount++,
      run: `${run.flow}/${run.id}`,
      step: step.name,
      code: step.code,
      attempts: tasks.map(attemptSpec),
      contents,
      eachOutputs: step.eachOutputs,
      scratchFile: this.scratchFile(),
      logFile: logFileOf(this.#deps.store.home, run, step.name),
      env: options.env,
      memBytesMax: options.resources.memBytes ?? this.#options.memBytesDefault,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      yieldAfterMs: BATCH_YIELD_MS,
    };
  }

  #origin(
    step: StepPlan,
    tasks: readonly TaskUnit[],
    planned: PlannedBatch<TaskUnit>,
  ): BatchOrigin {
    const { run, labels } = this.#options;
    const taskMs = this.#deps.scheduler.taskMs(step.name);
    return {
      run,
      env: step.env,
      tasks: tasks.map((task) => {
        const { memoKey, inputIds } = defined(task.identity);
        return { memoKey, inputIds };
      }),
      demand: planned.demand,
      labels,
      ...(taskMs === undefined ? {} : { taskMs }),
    };
  }

  #settle(tasks: readonly TaskUnit[], sent: RecordedBatch, result: BatchResult): void {
    const { accept, scheduler } = this.#deps;
    const { step } = sent.batch;
    const succeeded: [TaskUnit, AttemptOutcome][] = [];
    const returned: TaskUnit[] = [];
    const seen = new Set<number>();
    let lost: ErrorRecord | undefined;
    for (const outcome of result.outcomes) {
      const task = tasks[outcome.position];
      if (task === undefined || seen.has(outcome.position)) continue;
      seen.add(outcome.position);
      this.#progress.get(step)?.delete(taskText({ step: "", index: task.index }));
      const { error, by } = outcome;
      const ran = by === undefined ? { task } : { task, by };
      if (outcome.result === "succeeded") {
        scheduler.learn(step, outcome.wallMs);
        succeeded.push([task, outcome]);
      } else if (this.#isInputLost(task, outcome)) lost = error;
      else if (outcome.result === "failed")
        accept({ t: "attempt-failed", ...ran, error: error ?? unexplained(task) });
      else if (outcome.result === "lost")
        accept({ t: "attempt-lost", ...ran, ...(error === undefined ? {} : { error }) });
      else if (outcome.result === "cancelled") accept({ t: "attempt-cancelled", task });
      else returned.push(task);
    }
    // What the host did not mention was not begun. Last first, so that the queue's front keeps the order.
    for (const [position, task] of tasks.entries()) if (!seen.has(position)) returned.push(task);
    for (const task of returned.reverse()) accept({ t: "attempt-returned", task });
    this.#commit(sent, succeeded, result.scratchFile);
    if (lost !== undefined) this.#deps.inputLost(lost);
  }

  /** Nobody's failure: the only peers that had an input are gone, and no other could be asked. */
  #isInputLost(task: TaskUnit, { error }: AttemptOutcome): boolean {
    if (this.#deps.hosts.bringsContent !== true || error?.code !== "CONTENT_MISSING") return false;
    return contentIdsOf(task).has(error.details["id"] as Cid);
  }

  /** One part for the whole batch, because its outcomes share a scratch segment. */
  #commit(
    sent: RecordedBatch,
    succeeded: readonly [TaskUnit, AttemptOutcome][],
    scratch: string | undefined,
  ): void {
    if (succeeded.length === 0 && scratch === undefined) return;
    const { maker, recorder, contents, accept } = this.#deps;
    const outcomes = succeeded.map(([, outcome]) => outcome);
    const { records, pages } = outcomeRecords(sent, outcomes, maker);
    const inline: InlineContent[] = [...pages];
    const journal: TaskSucceeded[] = [];
    const after: (() => void)[] = [];
    for (const [position, [task, outcome]] of succeeded.entries()) {
      const by = outcome.by ?? maker.peer;
      const { fact, outputs, tables } = defined(records[position]);
      inline.push(...outputs, ...inlineTables(tables));
      for (const table of tables) defined(this.#elements).noteTable(table);
      // Journaled before its fact was lost: the record stands, unless the task came to something else this time.
      const result = resultIdOf(fact);
      const past = task.past?.succeeded;
      const isJournaled = past !== undefined && (past.result ?? result) === result;
      if (!isJournaled)
        journal.push({
          step: fact.step,
          index: task.index,
          memoKey: fact.memoKey,
          result,
          attempt: task.attempt,
          by,
          wallMs: outcome.wallMs,
        });
      after.push(() => {
        for (const { id, data } of outputs) contents.remember(id, { inline: data });
        accept({ t: "attempt-succeeded", task, fact });
      });
    }
    recorder.add({
      facts: records.flatMap(({ fact, elementFacts }) => [fact, ...elementFacts]),
      inline,
      succeeded: journal,
      after,
      ...(scratch === undefined ? {} : { scratch }),
    });
  }

  #progressed(step: string, progress: AttemptProgress): void {
    let reports = this.#progress.get(step);
    if (reports === undefined) this.#progress.set(step, (reports = new Map()));
    const key = taskText({ step: "", index: progress.index });
    reports.delete(key);
    reports.set(key, progress);
  }
}

function contentIdsOf(task: TaskUnit): ReadonlySet<Cid> {
  const ids = new Set<Cid>();
  addContentIds(ids, defined(task.identity).inputs);
  return ids;
}

function attemptSpec(task: TaskUnit): AttemptSpec {
  const { inputs, seed } = defined(task.identity);
  const spec = { index: task.index, attempt: task.attempt, inputs, seed };
  return task.catching === undefined ? spec : { ...spec, catching: task.catching };
}

function unexplained(task: TaskUnit): ErrorRecord {
  return {
    code: "INTERNAL",
    details: {
      message: `the host gave no reason why ${taskText({ step: task.step.name, index: task.index })} failed`,
    },
  };
}
