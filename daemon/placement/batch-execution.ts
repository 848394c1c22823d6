/**
 * What a lease goes through at the worker: its code and inputs are brought, the step hosts run it, and what another peer's batch made
 * becomes durable here before its owner hears of it.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { StepCode } from "../../src/code/flow-package.ts";
import type { WarmableHostPool } from "../../src/engine/hosts/host-pool.ts";
import { logDirectoryOf } from "../../src/engine/run/log-file.ts";
import { factMaker } from "../../src/engine/run/fact-maker.ts";
import {
  inlineTables,
  outcomeRecords,
  type OutcomeRecord,
} from "../../src/engine/run/outcome-record.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { ErrorRecord } from "../../src/model/errors.ts";
import { toErrorRecord } from "../../src/model/errors.ts";
import { runText, type Cid } from "../../src/model/ids.ts";
import { defined } from "../../src/std/assert.ts";
import type { ContentLocation, InlineContent, Store } from "../../src/store/ports.ts";
import type { AttemptBatch, AttemptOutcome, BatchResult } from "../../src/task/host-messages.ts";
import type { FactSigner } from "../../src/trust/fact-page.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { CodeShelf } from "./code-shelf.ts";
import { inputContentIds, locationIn } from "./input-contents.ts";
import { OUTPUT_COPIES } from "./placement-limits.ts";
import { NotRun, type Work } from "./work.ts";

export interface ExecutionDeps {
  readonly local: WarmableHostPool;
  readonly exchange: ContentExchange;
  readonly store: Store;
  readonly clock: Clock;
  readonly shelf: CodeShelf;
  /** Name under which facts are made here. */
  readonly name: string;
  /** Vouches for them. */
  readonly signer?: FactSigner;
  /** With those above it. */
  makeDirectory(path: string): Promise<void>;
}

/** Everything a batch needs is here, except what nobody has. */
export interface Prepared {
  readonly code: StepCode;
  readonly contents: ReadonlyMap<Cid, ContentLocation>;
  /** Why attempts that need what is missing fail. */
  readonly missing: ErrorRecord | undefined;
}

/** Log directories made; asking the file system again costs little. */
const LOG_DIRECTORIES_MAX = 1_024;
/** Python environments found out; one for each code. */
const ENVIRONMENTS_MAX = 1_024;

export class BatchExecution {
  readonly #deps: ExecutionDeps;
  readonly #logDirectories = new Set<string>();
  readonly #environments = new Map<string, Promise<string>>();

  constructor(deps: ExecutionDeps) {
    this.#deps = deps;
  }

  /** @throws NotRun where this peer cannot run it, MfError where its owner cannot be asked for the code */
  async prepare(work: Work): Promise<Prepared> {
    const { shelf } = this.#deps;
    const [code, { contents, missing }] = await Promise.all([
      work.code ?? shelf.codeOf(work.owner, work.batch.codeId),
      this.#bring(work),
      this.#makeLogDirectory(work),
    ]);
    if (work.own === undefined) await this.#checkEnvironment(work, code);
    return { code, contents, missing };
  }

  async run(work: Work, prepared: Prepared, gpus: readonly string[]): Promise<BatchResult> {
    const { codeId: _codeId, ...batch } = work.batch;
    const { runnable, failed } = splitByContent(work, prepared);
    if (runnable.length === 0) return { outcomes: failed };
    const env =
      gpus.length === 0 ? batch.env : { ...batch.env, CUDA_VISIBLE_DEVICES: gpus.join(",") };
    const whole: AttemptBatch = {
      ...batch,
      env,
      code: prepared.code,
      contents: prepared.contents,
      attempts: runnable.map((position) => defined(batch.attempts[position])),
    };
    const result = await this.#deps.local.runBatch(whole, {
      signal: work.abort.signal,
      exclusive: work.isExclusive,
      onProgress: (progress) => {
        if (work.own === undefined) work.progress.set(progress.index.join(","), progress);
        else work.own.onProgress?.(progress);
      },
    });
    if (failed.length === 0) return result;
    const outcomes = result.outcomes.map((outcome) => ({
      ...outcome,
      position: defined(runnable[outcome.position]),
    }));
    return { ...result, outcomes: [...outcomes, ...failed] };
  }

  /** Facts, small outputs and the scratch segment, in one commit. @returns the outcomes with what vouches for them @throws MfError STORE_FULL, STORE_POISONED */
  async commit(
    work: Work,
    code: StepCode,
    { outcomes, scratchFile }: BatchResult,
  ): Promise<readonly AttemptOutcome[]> {
    const { store, exchange } = this.#deps;
    const recorded = { batch: { ...work.batch, code }, origin: work.origin };
    const succeeded = outcomes.filter(({ result }) => result === "succeeded");
    const maker = factMaker({ ...this.#deps, peer: this.#deps.name });
    const { records, pages } = outcomeRecords(recorded, succeeded, maker);
    const facts = records.flatMap(({ fact, elementFacts }) => [fact, ...elementFacts]);
    const inline: InlineContent[] = [...pages];
    for (const { outputs, tables } of records) inline.push(...outputs, ...inlineTables(tables));
    const large = succeeded.flatMap(({ outputs }) =>
      Object.values(outputs ?? {}).flatMap(({ ref, data }) => (data === undefined ? [ref.id] : [])),
    );
    if (facts.length > 0)
      await store.commit({
        facts,
        inline,
        ...(scratchFile === undefined ? {} : { scratch: [scratchFile] }),
      });
    else if (scratchFile !== undefined) await rm(scratchFile, { force: true });
    if (large.length > 0) exchange.spread(large, OUTPUT_COPIES);
    return this.#withPages(outcomes, records, pages);
  }

  #withPages(
    outcomes: readonly AttemptOutcome[],
    records: readonly OutcomeRecord[],
    pages: readonly InlineContent[],
  ): readonly AttemptOutcome[] {
    const { signer } = this.#deps;
    if (signer === undefined) return outcomes;
    const data = new Map(pages.map((page) => [page.id, page.data]));
    const made = records.values();
    return outcomes.map((outcome) => {
      if (outcome.result !== "succeeded") return outcome;
      const { by, at, page } = defined(made.next().value, "a record for each success").fact;
      const id = defined(page, "a page for each fact");
      const signed = { peer: signer.peerId, by, at, page: id, data: defined(data.get(id)) };
      return { ...outcome, signed };
    });
  }

  async #bring(work: Work): Promise<Omit<Prepared, "code">> {
    const { store, exchange } = this.#deps;
    const contents = new Map<Cid, ContentLocation>();
    const wanted: Cid[] = [];
    for (const id of inputContentIds(work.batch.attempts)) {
      const location = locationIn(work.batch.contents, id);
      if (location === undefined) wanted.push(id);
      else contents.set(id, location);
    }
    const locate = async (ids: readonly Cid[]): Promise<Cid[]> => {
      if (ids.length === 0) return [];
      const found = await store.locate(ids);
      return ids.filter((id, position) => {
        const location = found[position];
        if (location !== undefined) contents.set(id, location);
        return location === undefined;
      });
    };
    const absent = await locate(wanted);
    if (absent.length === 0) return { contents, missing: undefined };
    let missing: ErrorRecord | undefined;
    try {
      await exchange.bring(absent, { hints: work.hints, signal: work.abort.signal });
    } catch (error) {
      missing = toErrorRecord(error);
    }
    const [still] = await locate(absent);
    if (still === undefined) return { contents, missing: undefined };
    return { contents, missing: missing ?? { code: "CONTENT_MISSING", details: { id: still } } };
  }

  /** Facts say that the environment was the owner's; native packages must at least be where the code looks for them. */
  async #checkEnvironment(work: Work, code: StepCode): Promise<void> {
    if (code.kind === "script") {
      if (code.externals.length > 0 && !existsSync(code.resolveFrom))
        throw new NotRun(`no ${code.resolveFrom} here`, true);
      return;
    }
    let environment = this.#environments.get(code.codeId);
    if (environment === undefined) {
      environment = this.#deps.local.pythonEnvironment(code, work.batch.step);
      if (this.#environments.size < ENVIRONMENTS_MAX)
        this.#environments.set(code.codeId, environment);
      // What is missing may be installed by the time of the next batch.
      environment.catch(() => this.#environments.delete(code.codeId));
    }
    const own = await environment.catch((error: unknown) => toErrorRecord(error).code);
    if (own !== work.origin.env) throw new NotRun("another Python environment", true);
  }

  async #makeLogDirectory({ run }: Work): Promise<void> {
    const key = runText(run);
    if (this.#logDirectories.has(key)) return;
    await this.#deps.makeDirectory(logDirectoryOf(this.#deps.store.home, run));
    if (this.#logDirectories.size >= LOG_DIRECTORIES_MAX) this.#logDirectories.clear();
    this.#logDirectories.add(key);
  }
}

function splitByContent(
  { batch }: Work,
  { contents, missing }: Prepared,
): { runnable: number[]; failed: AttemptOutcome[] } {
  const runnable: number[] = [];
  const failed: AttemptOutcome[] = [];
  for (const [position, spec] of batch.attempts.entries()) {
    const lacks =
      missing !== undefined && [...inputContentIds([spec])].some((id) => !contents.has(id));
    if (!lacks) runnable.push(position);
    else
      failed.push({
        position,
        result: "failed",
        error: missing,
        wallMs: 0,
        cpuMs: 0,
        rssBytesMax: 0,
      });
  }
  return { runnable, failed };
}
