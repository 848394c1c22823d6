/** Runs batches in step hosts: small steps share one warm process, exclusive attempts get one each. */
import { mkdirSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import type { Cid } from "../../model/ids.ts";
import { fromErrorRecord, MfError, toErrorRecord, type ErrorRecord } from "../../model/errors.ts";
import type { ContentLocation } from "../../store/ports.ts";
import type { AttemptBatch, AttemptOutcome, BatchResult } from "../../task/host-messages.ts";
import type { HostPool, RunBatchOptions, SplitRequest, SplitResult } from "../ports.ts";
import { HostProcess, type Death, type WorkEnd } from "./host-process.ts";
import type { SplitAnswer } from "./host-protocol.ts";
import { ATTEMPT_MEM_BYTES_MAX } from "../run/run-limits.ts";
import { pythonEnvironment } from "./python/python-environment.ts";
import { rehearsal } from "./rehearsal.ts";

export interface HostPoolDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where content is that a step reads lazily (files). */
  locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]>;
  /** Threads of the shared host. */
  readonly slots: number;
  /** A directory for marks files. */
  readonly home: string;
  /** Memory of an attempt that declares none. @default memBytesDefault() */
  readonly memBytesMax?: number;
}

export function memBytesDefault(): number {
  return Math.min(ATTEMPT_MEM_BYTES_MAX, Math.floor(totalmem() / 4));
}

/** A pool that can be told that work is about to come. */
export interface WarmableHostPool extends Omit<HostPool, "runBatch"> {
  /** Where the batch comes from does not matter here. */
  runBatch(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult>;
  /** Starts the shared host and has each of its threads do nothing once, so that all is ready by the time a flow has been loaded. A second time nothing. */
  warm(): void;
}

export function createHostPool(deps: HostPoolDeps): WarmableHostPool {
  return new ProcessHostPool(deps);
}

class ProcessHostPool implements WarmableHostPool {
  readonly slots: number;
  readonly #deps: HostPoolDeps;
  readonly #hosts = new Set<HostProcess>();
  #shared: HostProcess | undefined;
  #hostCount = 0;
  #isClosed = false;

  constructor(deps: HostPoolDeps) {
    this.#deps = deps;
    this.slots = deps.slots;
    mkdirSync(deps.home, { recursive: true });
  }

  warm(): void {
    // What runs batches already is warm.
    if (this.#shared?.isDead === false || this.#isClosed) return;
    const host = this.#sharedHost();
    const batch = rehearsal(this.#deps.memBytesMax ?? memBytesDefault());
    // How it ends is of no interest: a host that dies of it is replaced when there is work.
    for (let slot = 0; slot < this.slots; slot++) void host.run({ t: "batch", batch });
  }

  async runBatch(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult> {
    if (batch.attempts.length === 0) return { outcomes: [] };
    if (options.exclusive && batch.code.kind === "script") return this.#runEach(batch, options);
    if (batch.code.kind === "python") return this.#runAlone(batch, options);
    const end = await this.#sharedHost().run(
      { t: "batch", batch },
      options.signal,
      options.onProgress,
    );
    return batchResult(batch, end, false);
  }

  /** One process an attempt; after the first that wrote a scratch segment the others go back, as a result names one segment. */
  async #runEach(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult> {
    const outcomes: AttemptOutcome[] = [];
    let scratchFile: string | undefined;
    for (const [position, spec] of batch.attempts.entries()) {
      if (scratchFile !== undefined || this.#isClosed) {
        outcomes.push(notStarted(position));
        continue;
      }
      const result = await this.#runAlone({ ...batch, attempts: [spec] }, options);
      ({ scratchFile } = result);
      outcomes.push(...result.outcomes.map((outcome) => ({ ...outcome, position })));
    }
    return scratchFile === undefined ? { outcomes } : { outcomes, scratchFile };
  }

  async #runAlone(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult> {
    const host = this.#startHost(1, batch.memBytesMax);
    try {
      const end = await host.run({ t: "batch", batch }, options.signal, options.onProgress);
      return batchResult(batch, end, true);
    } finally {
      host.kill();
    }
  }

  async splitContent(request: SplitRequest): Promise<SplitResult> {
    const end = await this.#sharedHost().run({ t: "split", request });
    if (end.t === "done") {
      const answer = end.result as SplitAnswer;
      if ("split" in answer) return answer.split;
      throw fromErrorRecord(answer.error);
    }
    throw fromErrorRecord(end.t === "broken" ? end.why.error : deathRecord(end.death));
  }

  pythonEnvironment(...asked: Parameters<HostPool["pythonEnvironment"]>): Promise<string> {
    return pythonEnvironment(...asked);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const hosts = [...this.#hosts];
    for (const host of hosts) host.kill();
    await Promise.all(hosts.map((host) => host.exited));
  }

  #sharedHost(): HostProcess {
    if (this.#shared === undefined || this.#shared.isDead) {
      this.#shared = this.#startHost(this.slots, this.#deps.memBytesMax ?? memBytesDefault());
    }
    return this.#shared;
  }

  #startHost(threads: number, heapBytes: number): HostProcess {
    if (this.#isClosed) throw new MfError("INTERNAL", { message: "the host pool is closed" });
    const marksFile = join(this.#deps.home, `host-${process.pid}-${(this.#hostCount += 1)}.marks`);
    const locate = async (id: string): Promise<ContentLocation | undefined> =>
      (await this.#deps.locate([id as Cid]))[0];
    const host = new HostProcess({ threads, heapBytes, marksFile, locate });
    this.#hosts.add(host);
    this.#deps.logger.debug("host-started", { threads });
    void host.exited.then(() => {
      this.#hosts.delete(host);
      this.#deps.logger.debug("host-exited", { threads });
    });
    return host;
  }
}

function batchResult(batch: AttemptBatch, end: WorkEnd, isAlone: boolean): BatchResult {
  if (end.t === "done") return end.result as BatchResult;
  // A process that died before any attempt began would be started again for ever if nobody were blamed.
  const position = end.t === "died" && isAlone ? Math.max(0, end.position) : end.position;
  const error = end.t === "broken" ? end.why.error : deathRecord(end.death);
  const ended = end.t === "broken" ? end.why.result : isAlone ? "failed" : "lost";
  const outcomes = batch.attempts.map((_spec, at): AttemptOutcome => {
    if (at !== position) return notStarted(at);
    return { ...notStarted(at), result: ended, error };
  });
  return { outcomes };
}

function notStarted(position: number): AttemptOutcome {
  return { position, result: "not-started", wallMs: 0, cpuMs: 0, rssBytesMax: 0 };
}

function deathRecord({ code, signal, memory, stderr }: Death): ErrorRecord {
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  if (memory !== undefined) {
    return toErrorRecord(
      new MfError("STEP_MEMORY", { used: mib(memory.used), limit: mib(memory.limit) }),
    );
  }
  if (signal !== null) return toErrorRecord(new MfError("STEP_CRASHED", { signal }));
  const record = toErrorRecord(new MfError("STEP_EXITED", { code: code ?? -1 }));
  return stderr === "" ? record : { ...record, stack: stderr };
}
