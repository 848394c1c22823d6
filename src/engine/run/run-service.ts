/**
 * Runs one run: feeds the machine with what happens and performs what it orders. All decisions are the machine's and the
 * scheduler's; here are only hosts, store, timers and listeners. A fact is durable before anything is built on it.
 */
import { resultIdOf } from "../../artifact/result-id.ts";
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import { fromErrorRecord, isMfError, MfError, toErrorRecord } from "../../model/errors.ts";
import { runText, type MemoKey, type ResultId, type RunRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import type { Store } from "../../store/ports.ts";
import type { HostPool } from "../ports.ts";
import type { RunEvent, RunHandle, RunProgress, RunResult, TaskFailure } from "../run-api.ts";
import {
  BatchScheduler,
  type PlannedBatch,
  type SchedulerLimits,
} from "../scheduler/batch-scheduler.ts";
import type { RunShare } from "../work-sharing.ts";
import { AttemptRunner } from "./attempt-runner.ts";
import type { ContentCache } from "./content-cache.ts";
import { cutOffs } from "./cut-offs.ts";
import { ElementLoader } from "./element-loader.ts";
import { FactLookUps } from "./fact-look-ups.ts";
import type { FactMaker } from "./fact-maker.ts";
import type { FlowPlan } from "./flow-plan.ts";
import type { GivenValues } from "./input-resolution.ts";
import { failureEntry, type AttemptFailure, type RunEffect } from "./run-events.ts";
import { CUT_OFFS_SHOWN_MAX, FAILURES_SHOWN_MAX, UNITS_PER_TURN } from "./run-limits.ts";
import { mayNotReuse, type RunHistory } from "./run-history.ts";
import { RunListeners } from "./run-listeners.ts";
import { RunMachine } from "./run-machine.ts";
import { RunRecorder } from "./run-recorder.ts";
import type { SwitchUnit, TaskUnit, LevelUnit } from "./run-units.ts";
import { readSwitchValue } from "./switch-value.ts";

export interface RunServiceDeps {
  readonly store: Store;
  readonly hosts: HostPool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly turn: () => Promise<void>;
  readonly peer: string;
  readonly maker: FactMaker;
  readonly contents: ContentCache;
  readonly share: RunShare;
}

export interface RunServiceOptions {
  readonly run: RunRef;
  readonly plan: FlowPlan;
  readonly given: GivenValues;
  readonly seed: string;
  readonly tasksMax: number;
  readonly noCache: boolean;
  readonly rerun: ReadonlySet<string>;
  readonly kept: ReadonlyMap<MemoKey, ResultId>;
  readonly limits: SchedulerLimits;
  /** It was given less than the mesh has: others would wait for what they could run at once. */
  readonly isHeldBack: boolean;
  readonly memBytesDefault: number;
  /** Labels a peer must have to run any of it. */
  readonly labels: readonly string[];
  /** What the run's row says from the beginning. */
  readonly summary: Omit<RunSummary, "state" | "counts" | "finishedAt">;
  /** Of a run that is gone on with. */
  readonly history?: RunHistory;
}

export class RunService implements RunHandle {
  readonly run: RunRef;
  readonly finished: Promise<RunResult>;
  readonly #deps: RunServiceDeps;
  readonly #options: RunServiceOptions;
  readonly #machine: RunMachine;
  readonly #scheduler: BatchScheduler<TaskUnit>;
  readonly #recorder: RunRecorder;
  readonly #elements: ElementLoader;
  readonly #attempts: AttemptRunner;
  readonly #listeners: RunListeners;
  readonly #lookUps: FactLookUps;
  readonly #failures: TaskFailure[] = [];
  readonly #timers = new Set<() => void>();
  readonly #abort = new AbortController();
  readonly #startedAtMs: number;
  #endedAtMs: number | undefined;
  #endedAt: number | undefined;
  #isAbandoned = false;
  #isDriving = false;
  #isTurning = false;
  #storeError: unknown;
  #resolve: (result: RunResult) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(deps: RunServiceDeps, options: RunServiceOptions) {
    this.run = options.run;
    this.#deps = deps;
    this.#options = options;
    this.#listeners = new RunListeners(deps.logger);
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever awaits it gets the error; nobody awaiting must not end the process.
    this.finished.catch(() => undefined);
    const leave = (): void => this.#lookUps.leave();
    this.finished.then(leave, leave);
    this.#startedAtMs = deps.clock.monotonic();
    const { store, hosts, clock, turn, maker, contents } = deps;
    this.#machine = new RunMachine(options.plan, options);
    this.#scheduler = new BatchScheduler(options.plan.steps.values(), options.limits);
    this.#lookUps = new FactLookUps(deps, {
      found: (task, fact, isOthers) => this.#accept({ t: "looked-up", task, fact, isOthers }),
      failed: (error) => this.#broken(error),
      // A run that is on its way to its end only counts what it made.
      mayClaim: !options.isHeldBack,
      mayShare: (task) => options.history?.ending === undefined && !mayNotReuse(task, options),
    });
    this.#recorder = new RunRecorder(options.run, {
      store,
      clock,
      turn,
      summary: () => this.#summary(),
      failed: (error) => this.#broken(error),
    });
    const runner = {
      run: options.run,
      signal: this.#abort.signal,
      memBytesDefault: options.memBytesDefault,
      labels: options.labels,
      maxMemBytes: options.limits.totals.memBytes,
    };
    this.#attempts = new AttemptRunner(
      {
        store,
        hosts,
        maker,
        contents,
        recorder: this.#recorder,
        scheduler: this.#scheduler,
        plan: options.plan,
        accept: (event) => this.#accept(event),
        inputLost: (error) => this.#breakOff(fromErrorRecord(error)),
      },
      runner,
    );
    this.#elements = new ElementLoader({
      store,
      hosts,
      contents,
      recorder: this.#recorder,
      maker,
      scratchFile: () => this.#attempts.scratchFile(),
    });
    this.#attempts.useElements(this.#elements);
  }

  /** Resolves once the run is durable. */
  async begin(entry: JournalEntry): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#recorder.add({ entries: [entry], after: [resolve] });
      void this.#recorder
        .idle()
        .then(() =>
          this.#storeError === undefined ? undefined : reject(this.#storeError as Error),
        );
    });
    this.goOn();
  }

  /** Begins (again) with what is durable. */
  goOn(): void {
    this.#listeners.emit({ t: "run-started", run: this.run });
    this.#accept({ t: "started" });
  }

  progress(): RunProgress {
    const now = this.#deps.clock.monotonic();
    const steps = this.#machine.tally
      .progressOfAll(now)
      .map((step) => ({ ...step, ...this.#attempts.fractionOf(step.name) }));
    return {
      state: this.#machine.state,
      steps,
      elapsedMs: (this.#endedAtMs ?? now) - this.#startedAtMs,
    };
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  cancel(): void {
    this.#accept({ t: "cancel-asked" });
  }

  /** There may be more room than before. */
  wake(): void {
    this.#drive();
  }

  abandon(owner: string): void {
    this.#breakOff(new MfError("RUN_MOVED", { run: runText(this.run), owner }));
  }

  /** Stops without an end: what runs goes on, its facts are kept, and whoever goes on with the run finds them. */
  #breakOff(why: Error): void {
    if (this.#isAbandoned || this.#endedAt !== undefined) return;
    this.#isAbandoned = true;
    this.#recorder.keepFactsOnly();
    this.#stopStarting();
    this.#endedAtMs ??= this.#deps.clock.monotonic();
    this.#reject(why);
  }

  /** True where it was content that no peer has any more: then the run breaks off, and its makers run again when it is resumed. */
  #isContentLost(error: unknown): boolean {
    if (this.#deps.hosts.bringsContent !== true || !isMfError(error, "CONTENT_MISSING"))
      return false;
    this.#breakOff(error);
    return true;
  }

  #accept(event: Parameters<RunMachine["accept"]>[0]): void {
    if (this.#isAbandoned) return;
    if (this.#storeError !== undefined && event.t !== "cancel-asked") return this.#endBroken();
    this.#machine.accept(event, this.#deps.clock.monotonic());
    if ("task" in event) this.#lookUps.moved(event.task);
    this.#drive();
  }

  /** Once a microtask, however many events came: they share look-ups and batches. */
  #drive(): void {
    if (this.#isDriving) return;
    this.#isDriving = true;
    queueMicrotask(() => {
      this.#isDriving = false;
      this.#driveNow();
    });
  }

  #driveNow(): void {
    if (this.#isTurning || this.#isAbandoned) return;
    const hasMore = this.#machine.advance(UNITS_PER_TURN, this.#deps.clock.monotonic());
    this.#perform();
    this.#dispatch();
    if (this.#storeError === undefined) void this.#lookUps.ask();
    if (!hasMore) return;
    this.#isTurning = true;
    void this.#deps.turn().then(() => {
      this.#isTurning = false;
      this.#drive();
    });
  }

  #perform(): void {
    for (const effect of this.#machine.takeEffects()) this.#performOne(effect);
  }

  #performOne(effect: RunEffect): void {
    switch (effect.t) {
      case "look-up":
        return this.#lookUps.add(effect.task);
      case "enqueue":
        return this.#scheduler.enqueue(effect.task, effect.isFront);
      case "load-elements":
        return void this.#loadElements(effect);
      case "read-value":
        return void this.#readValue(effect.unit, effect.source);
      case "wake-later":
        return this.#wakeLater(effect.task, effect.afterMs);
      case "record-reuse":
        return this.#recordReuse(effect);
      case "record-failure":
        return this.#recordFailure(effect.failure);
      case "stop-starting":
        this.#stopStarting();
        if (effect.isCancel) this.#abort.abort(new MfError("STEP_CANCELLED"));
        return;
      case "announce-step":
        return this.#announce(effect.step, effect.what);
      case "finish":
        return void this.#finish(effect);
    }
  }

  #stopStarting(): void {
    this.#scheduler.clear();
    this.#lookUps.clear();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  #dispatch(): void {
    if (this.#machine.state !== "running") return;
    for (let batch = this.#scheduler.next(); batch !== undefined; batch = this.#scheduler.next()) {
      const now = this.#deps.clock.monotonic();
      for (const task of batch.tasks) this.#machine.accept({ t: "attempt-started", task }, now);
      void this.#runBatch(batch);
    }
    this.#perform();
  }

  async #runBatch(batch: PlannedBatch<TaskUnit>): Promise<void> {
    try {
      await this.#attempts.run(batch);
    } catch (error) {
      this.#broken(error);
    }
    if (this.#storeError === undefined) this.#drive();
    else this.#endBroken();
  }

  async #loadElements({
    level,
    position,
    source,
  }: {
    level: LevelUnit;
    position: number;
    source: Extract<RunEffect, { t: "load-elements" }>["source"];
  }): Promise<void> {
    try {
      const list = await this.#elements.load(level.step.name, source);
      this.#accept({ t: "elements-loaded", level, position, list });
    } catch (error) {
      if (this.#isContentLost(error)) return;
      this.#accept({ t: "elements-refused", level, error: toErrorRecord(error) });
    }
  }

  async #readValue(
    unit: SwitchUnit,
    source: Extract<RunEffect, { t: "read-value" }>["source"],
  ): Promise<void> {
    try {
      const value = await readSwitchValue(this.#deps, unit.plan.name, source);
      this.#accept({ t: "value-read", unit, value });
    } catch (error) {
      if (this.#isContentLost(error)) return;
      this.#accept({ t: "value-refused", unit, error: toErrorRecord(error) });
    }
  }

  #wakeLater(task: TaskUnit, afterMs: number): void {
    const cancel = this.#deps.clock.after(afterMs, () => {
      this.#timers.delete(cancel);
      this.#accept({ t: "backoff-over", task });
    });
    this.#timers.add(cancel);
  }

  #recordReuse({ task, fact, isOwn }: Extract<RunEffect, { t: "record-reuse" }>): void {
    this.#recorder.add({
      succeeded: [
        {
          step: task.step.name,
          index: task.index,
          memoKey: fact.memoKey,
          result: resultIdOf(fact),
          ...(isOwn ? { attempt: task.attempt } : {}),
          by: fact.by,
          wallMs: fact.wallMs,
        },
      ],
    });
  }

  #recordFailure(failure: AttemptFailure): void {
    const { step, index, attempt, outcome, isFinal, error, retryInMs } = failure;
    const { clock, peer } = this.#deps;
    this.#recorder.add({ entries: [failureEntry(failure, { at: clock.now(), peer })] });
    const shown: TaskFailure = { step, index, attempt, error };
    if (isFinal && outcome !== "cancelled" && this.#failures.length < FAILURES_SHOWN_MAX)
      this.#failures.push(shown);
    this.#listeners.emit({
      t: "attempt-failed",
      failure: shown,
      ...(retryInMs === undefined ? {} : { retryInMs }),
    });
  }

  #announce(step: string, what: "started" | "finished"): void {
    const progress = this.#machine.tally.progressOf(step, this.#deps.clock.monotonic());
    this.#listeners.emitStep(progress, what);
  }

  async #finish({ state, error }: Extract<RunEffect, { t: "finish" }>): Promise<void> {
    this.#endedAtMs = this.#deps.clock.monotonic();
    this.#endedAt = this.#deps.clock.now();
    const cause = error === undefined ? {} : { error };
    this.#recorder.add({
      entries: [{ t: "run-finished", at: this.#endedAt, state, ...cause }],
    });
    await this.#recorder.idle();
    if (this.#storeError !== undefined) return this.#endBroken();
    const result: RunResult = {
      run: this.run,
      state,
      durationMs: this.#endedAtMs - this.#startedAtMs,
      tasks: this.#machine.tally.counts(),
      failures: this.#failures,
      ...this.#cutOffs(),
    };
    this.#listeners.emit({ t: "run-finished", result });
    this.#resolve(result);
  }

  #cutOffs(): Pick<RunResult, "cutOffs"> {
    const { steps, switches } = this.#options.plan;
    const { tally } = this.#machine;
    const found = cutOffs(
      {
        steps: [...steps.values()].map(({ declaration }) => declaration),
        switches: [...switches.values()].map(({ declaration }) => declaration),
      },
      (step) => tally.of(step),
    ).slice(0, CUT_OFFS_SHOWN_MAX);
    return found.length === 0 ? {} : { cutOffs: found };
  }

  /** Nothing more can be made durable (or no host can start): what runs is cancelled, and the error ends the run. */
  #broken(error: unknown): void {
    if (this.#storeError !== undefined || this.#isAbandoned) return;
    this.#storeError = error;
    this.#deps.logger.error("run-broken", { run: this.run.id, error: toErrorRecord(error).code });
    this.#machine.accept({ t: "cancel-asked" }, this.#deps.clock.monotonic());
    this.#perform();
    this.#endBroken();
  }

  #endBroken(): void {
    if (this.#scheduler.runningCount > 0) return;
    this.#endedAtMs ??= this.#deps.clock.monotonic();
    this.#reject(this.#storeError);
  }

  #summary(): RunSummary {
    const { summary } = this.#options;
    return {
      ...summary,
      state: this.#machine.state === "waiting" ? "running" : this.#machine.state,
      counts: this.#machine.tally.counts(),
      ...(this.#endedAt === undefined ? {} : { finishedAt: this.#endedAt }),
    };
  }
}
