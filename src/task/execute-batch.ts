/**
 * Runs a batch in a worker thread of a step host, one attempt at a time: load inputs, call the step, store what it returned.
 * Whatever a step does ends here as an outcome; what ends the thread or the process is told by the host (see engine/hosts).
 */
import type { PythonCode } from "../code/flow-package.ts";
import {
  fromErrorRecord,
  isMfError,
  MfError,
  toErrorRecord,
  type ErrorRecord,
} from "../model/errors.ts";
import type { ContentLocation } from "../store/ports.ts";
import { AttemptContext } from "./attempt-context.ts";
import { compiledStepOf } from "./compiled-step.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptProgress,
  AttemptSpec,
  BatchResult,
} from "./host-messages.ts";
import { loadInputs } from "./load-inputs.ts";
import { AttemptLog, closeLogFile, openLogFile } from "./log-record.ts";
import { capturePrints } from "./print-capture.ts";
import { cpuMsBetween, usageNow } from "./resource-usage.ts";
import { stepErrorRecord } from "./step-error.ts";
import { ScratchSegment, storeOutputs } from "./store-outputs.ts";

export interface BatchDeps {
  /** Called as each attempt begins, before any of its code runs: whoever outlives this thread then knows who was running. */
  began(position: number): void;
  /** The signal of the attempt that begins now; aborts on cancel and on timeout. */
  signal(): AbortSignal;
  /** Rejects when something the attempt left behind fails: an unhandled rejection, an exception in a timer. */
  fault(): Promise<never>;
  /** Why the running attempt was told to stop, if it was. */
  stopped(): "cancelled" | "timeout" | undefined;
  read(id: string, location: ContentLocation | undefined): Promise<Uint8Array>;
  locate(id: string): Promise<ContentLocation | undefined>;
  report(progress: AttemptProgress): void;
  python(code: PythonCode, inputs: unknown, call: PythonCall): Promise<unknown>;
}

export interface PythonCall {
  readonly step: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: AttemptLog;
  readonly context: AttemptContext;
}

export async function executeBatch(batch: AttemptBatch, deps: BatchDeps): Promise<BatchResult> {
  const started = performance.now();
  const scratch = new ScratchSegment(batch.scratchFile);
  const logFd = openLogFile(batch.logFile);
  const restoreEnv = setEnvironment(batch.env);
  const outcomes: AttemptOutcome[] = [];
  const globals: KnownGlobals = {};
  try {
    for (const [position, spec] of batch.attempts.entries()) {
      const isOver = outcomes.length > 0 && performance.now() - started > batch.yieldAfterMs;
      if (isOver || deps.stopped() === "cancelled") {
        const result = isOver ? "not-started" : "cancelled";
        outcomes.push({ position, result, wallMs: 0, cpuMs: 0, rssBytesMax: 0 });
        continue;
      }
      deps.began(position);
      outcomes.push(
        await new AttemptRun(batch, spec, { ...deps, scratch, logFd, globals }).outcome(position),
      );
    }
  } finally {
    restoreEnv();
    closeLogFile(logFd);
  }
  const scratchFile = scratch.finish();
  return scratchFile === undefined ? { outcomes } : { outcomes, scratchFile };
}

interface AttemptDeps extends BatchDeps {
  readonly scratch: ScratchSegment;
  readonly logFd: number;
  readonly globals: KnownGlobals;
}

/** Listed once a batch: every attempt takes away what it added, so the next one begins with the same. */
interface KnownGlobals {
  names?: ReadonlySet<PropertyKey>;
}

class AttemptRun {
  readonly #batch: AttemptBatch;
  readonly #spec: AttemptSpec;
  readonly #deps: AttemptDeps;
  readonly #log: AttemptLog;
  readonly #context: AttemptContext;

  constructor(batch: AttemptBatch, spec: AttemptSpec, deps: AttemptDeps) {
    this.#batch = batch;
    this.#spec = spec;
    this.#deps = deps;
    this.#log = new AttemptLog(deps.logFd, spec.index, spec.attempt);
    this.#context = new AttemptContext(
      {
        run: batch.run,
        step: batch.step,
        index: spec.index,
        attempt: spec.attempt,
        seed: spec.seed,
      },
      {
        signal: deps.signal(),
        log: this.#log,
        scratch: deps.scratch,
        locate: (id) => deps.locate(id),
        report: (progress) => deps.report(progress),
      },
    );
  }

  async outcome(position: number): Promise<AttemptOutcome> {
    const wall = performance.now();
    const before = usageNow();
    const globals = await this.#begin();
    let ended: Pick<AttemptOutcome, "result" | "outputs" | "tables" | "error">;
    try {
      const result = await Promise.race([this.#call(), this.#deps.fault()]);
      const { step, eachOutputs } = this.#batch;
      ended = {
        result: "succeeded",
        ...storeOutputs(result, step, eachOutputs, this.#deps.scratch),
      };
    } catch (error) {
      ended = this.#failure(error);
    } finally {
      removeNewGlobals(globals);
      this.#log.end();
      capturePrints(undefined);
      this.#context.end();
    }
    const wallMs = performance.now() - wall;
    const after = usageNow();
    return {
      position,
      ...ended,
      wallMs,
      cpuMs: cpuMsBetween(before, after, wallMs),
      rssBytesMax: after.rssBytes,
    };
  }

  /** Packages may define globals when they are evaluated: those stay. */
  async #begin(): Promise<ReadonlySet<PropertyKey>> {
    capturePrints(this.#log);
    const { code, step } = this.#batch;
    if (code.kind === "script" && code.packages !== undefined) {
      // A package that fails here fails again, and is reported, when the step is instantiated.
      try {
        await compiledStepOf(code, step).warm();
      } catch {
        this.#log.end();
      }
    }
    return (this.#deps.globals.names ??= new Set(Reflect.ownKeys(globalThis)));
  }

  async #call(): Promise<unknown> {
    const { code, step, env, contents } = this.#batch;
    const locations = contents instanceof Map ? Object.fromEntries(contents) : contents;
    const inputs = await loadInputs(this.#spec.inputs, {
      read: (id) => this.#deps.read(id, (locations as Record<string, ContentLocation>)[id]),
      file: (info) => this.#context.fileRef(info),
    });
    if (code.kind === "python") {
      return this.#deps.python(code, inputs, { step, env, log: this.#log, context: this.#context });
    }
    const instance = await compiledStepOf(code, step).instantiate();
    if (this.#spec.catching === undefined) return instance.fn(inputs, this.#context);
    const { catch: handle } = instance;
    if (handle === undefined) throw fromErrorRecord(this.#spec.catching);
    return handle(userError(this.#spec.catching), inputs, this.#context);
  }

  #failure(error: unknown): Pick<AttemptOutcome, "result" | "error"> {
    const stopped = this.#deps.stopped();
    if (stopped === "cancelled") {
      return { result: "cancelled", error: toErrorRecord(new MfError("STEP_CANCELLED")) };
    }
    if (stopped === "timeout") return { result: "failed", error: timeoutRecord(this.#batch) };
    const { code, step } = this.#batch;
    if (isMfError(error)) {
      // Of our errors only a Python step's carries a stack that is the user's.
      const stack = error.code === "STEP_THREW" ? error.stack : undefined;
      const record = toErrorRecord(error);
      return { result: "failed", error: stack === undefined ? record : { ...record, stack } };
    }
    const map = code.kind === "script" ? code.sourceMap : undefined;
    return { result: "failed", error: stepErrorRecord(error, step, map) };
  }
}

export function timeoutRecord(batch: Pick<AttemptBatch, "timeoutMs">): ErrorRecord {
  return toErrorRecord(new MfError("STEP_TIMEOUT", { timeout: `${batch.timeoutMs ?? 0} ms` }));
}

/** What a `catch` handler is called with: the error as the step threw it. */
function userError(record: ErrorRecord): Error {
  const error = fromErrorRecord(record);
  if (record.code === "STEP_THREW" && typeof record.details["name"] === "string") {
    Object.defineProperty(error, "name", { value: record.details["name"] });
  }
  return error;
}

function removeNewGlobals(before: ReadonlySet<PropertyKey>): void {
  for (const key of Reflect.ownKeys(globalThis)) {
    if (!before.has(key)) Reflect.deleteProperty(globalThis, key);
  }
}

function setEnvironment(env: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
