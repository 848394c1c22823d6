/**
 * Runs a batch in a worker thread of a step host, one attempt at a time: load inputs, call the step, store what it returned.
 * Whatever a step does ends here as an outcome; what ends the thread or the process is told by the host (see engine/hosts).
 */
import type { StepInstance } from "../code/evaluate-slice.ts";
import type { PythonCode, ScriptCode } from "../code/flow-package.ts";
import { requirePackages } from "../code/needed-packages.ts";
import {
  fromErrorRecord,
  isMfError,
  MfError,
  toErrorRecord,
  type ErrorRecord,
} from "../model/errors.ts";
import type { ContentLocation } from "../store/ports.ts";
import { AttemptContext } from "./attempt-context.ts";
import { compiledStepOf, mayAddGlobals } from "./compiled-step.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptProgress,
  AttemptSpec,
  BatchResult,
} from "./host-messages.ts";
import { loadInputs } from "./load-inputs.ts";
import { AttemptLog, LogFile } from "./log-record.ts";
import { capturePrints } from "./print-capture.ts";
import { checkPythonResult } from "./python-result.ts";
import { stepErrorRecord } from "./step-error.ts";
import { ScratchSegment, storeOutputs } from "./store-outputs.ts";
import { UsageMeter } from "./usage-meter.ts";
import type { WorkingCopies } from "./working-copies.ts";

export interface BatchDeps {
  /**
   * Called as each attempt begins, before any of its code runs: whoever outlives this thread then knows who was running.
   * The answer stops that attempt: its signal aborts on cancel and on timeout.
   */
  began(position: number): Stopper;
  /** Rejects also when something the attempt left behind fails: an unhandled rejection, an exception in a timer. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Why the running attempt was told to stop, if it was. */
  stopped(): "cancelled" | "timeout" | undefined;
  /** Verified bytes; not to be changed. */
  read(id: string, location: ContentLocation | undefined): Promise<Uint8Array>;
  readonly copies: WorkingCopies;
  locate(id: string): Promise<ContentLocation | undefined>;
  report(progress: AttemptProgress): void;
  python(code: PythonCode, inputs: unknown, call: PythonCall): Promise<unknown>;
}

export interface Stopper {
  readonly signal: AbortSignal;
}

export interface PythonCall {
  readonly step: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: AttemptLog;
  readonly context: AttemptContext;
}

/** Of this thread: what the system said lately holds for the next batch too. */
const usage = new UsageMeter();

export async function executeBatch(batch: AttemptBatch, deps: BatchDeps): Promise<BatchResult> {
  const started = performance.now();
  const scratch = new ScratchSegment(batch.scratchFile);
  const logFile = new LogFile(batch.logFile);
  const restoreEnv = setEnvironment(batch.env);
  const outcomes: AttemptOutcome[] = [];
  const { contents } = batch;
  const locations: Locations =
    contents instanceof Map ? Object.fromEntries(contents) : (contents as Locations);
  try {
    await warmUp(batch, logFile);
    const globals = globalsToKeep(batch);
    const shared = { ...deps, scratch, logFile, locations, globals };
    for (const [position, spec] of batch.attempts.entries()) {
      const isOver = outcomes.length > 0 && performance.now() - started > batch.yieldAfterMs;
      if (isOver || deps.stopped() === "cancelled") {
        const result = isOver ? "not-started" : "cancelled";
        outcomes.push({ position, result, wallMs: 0, cpuMs: 0, rssBytesMax: 0 });
        continue;
      }
      const stopper = deps.began(position);
      outcomes.push(await new AttemptRun(batch, spec, { ...shared, stopper }).outcome(position));
    }
  } finally {
    restoreEnv();
    logFile.close();
  }
  try {
    const scratchFile = scratch.finish();
    return scratchFile === undefined ? { outcomes } : { outcomes, scratchFile };
  } catch (error) {
    const record = isMfError(error) ? toErrorRecord(error) : undefined;
    if (record === undefined) throw error;
    return {
      outcomes: outcomes.map((outcome) =>
        isInScratch(outcome) ? unwritten(outcome, record) : outcome,
      ),
    };
  }
}

/** Succeeded, with an output that did not fit inline. */
function isInScratch({ result, outputs = {}, tables = {} }: AttemptOutcome): boolean {
  const stored = [...Object.values(outputs), ...Object.values(tables)];
  return result === "succeeded" && stored.some(({ data }) => data === undefined);
}

function unwritten(
  { position, wallMs, cpuMs, rssBytesMax }: AttemptOutcome,
  error: ErrorRecord,
): AttemptOutcome {
  return { position, result: "failed", error, wallMs, cpuMs, rssBytesMax };
}

/** Packages may define globals when they are evaluated: those stay. What they print is the first attempt's. */
async function warmUp(batch: AttemptBatch, logFile: LogFile): Promise<void> {
  const code = batch.code.kind === "script" ? batch.code : batch.code.beside;
  const [first] = batch.attempts;
  if (code?.packages === undefined || first === undefined) return;
  const log = new AttemptLog(logFile, first.index, first.attempt);
  capturePrints(log);
  try {
    await compiledStepOf(code).warm();
  } catch {
    // A package that fails here fails again, and is reported, when the step is instantiated.
  } finally {
    log.end();
  }
}

type Locations = Readonly<Record<string, ContentLocation>>;

interface AttemptDeps extends BatchDeps {
  readonly scratch: ScratchSegment;
  readonly logFile: LogFile;
  readonly locations: Locations;
  /** Names that a step finds on globalThis; others are removed when it ends. Undefined: it cannot add any. */
  readonly globals: ReadonlySet<PropertyKey> | undefined;
  readonly stopper: Stopper;
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
    this.#log = new AttemptLog(deps.logFile, spec.index, spec.attempt);
    const { index, attempt, seed } = spec;
    const { scratch, stopper } = deps;
    const locate = deps.locate.bind(deps);
    const report = deps.report.bind(deps);
    this.#context = new AttemptContext(
      { run: batch.run, step: batch.step, index, attempt, seed },
      { stopper, log: this.#log, scratch, locate, report },
    );
  }

  async outcome(position: number): Promise<AttemptOutcome> {
    const { globals, scratch, copies } = this.#deps;
    usage.begin();
    capturePrints(this.#log);
    let ended: Pick<AttemptOutcome, "result" | "outputs" | "tables" | "error">;
    try {
      const result = await this.#deps.guard(this.#call());
      const { step, eachOutputs } = this.#batch;
      ended = { result: "succeeded", ...storeOutputs(result, step, eachOutputs, scratch) };
    } catch (error) {
      ended = this.#failure(error);
    } finally {
      if (globals !== undefined) removeNewGlobals(globals);
      this.#log.end();
      capturePrints(undefined);
      this.#context.end();
      copies.endAttempt();
    }
    return { position, ...ended, ...usage.end() };
  }

  async #call(): Promise<unknown> {
    const { code, step, env } = this.#batch;
    const { locations, copies } = this.#deps;
    const inputs = await loadInputs(this.#spec.inputs, {
      read: async (id) => copies.copyOf(id, await this.#deps.read(id, locations[id])),
      file: (info) => this.#context.fileRef(info),
    });
    const { catching } = this.#spec;
    if (code.kind === "python") {
      const beside = code.beside && (await this.#instance(code.beside));
      if (catching !== undefined) return this.#catch(beside?.catch, catching, inputs);
      const call = { step, env, log: this.#log, context: this.#context };
      const result = await this.#deps.python(code, inputs, call);
      return checkPythonResult(result, beside?.out, step);
    }
    const instance = await this.#instance(code);
    if (catching !== undefined) return this.#catch(instance.catch, catching, inputs);
    return instance.fn(inputs, this.#context);
  }

  /** @throws MfError PACKAGES_MISSING */
  #instance(code: ScriptCode): Promise<StepInstance> {
    if (code.externals.length > 0) requirePackages({ steps: { [this.#batch.step]: code } });
    return compiledStepOf(code).instantiate();
  }

  #catch(handle: StepInstance["catch"], error: ErrorRecord, inputs: unknown): unknown {
    if (handle === undefined) throw fromErrorRecord(error);
    return handle(userError(error), inputs, this.#context);
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
    const script = code.kind === "script" ? code : code.beside;
    return { result: "failed", error: stepErrorRecord(error, step, script) };
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

function globalsToKeep({ code }: AttemptBatch): ReadonlySet<PropertyKey> | undefined {
  if (code.kind === "script") {
    try {
      if (!mayAddGlobals(code)) return undefined;
    } catch {
      // A slice that does not compile is reported by its first attempt.
    }
  }
  return new Set(Reflect.ownKeys(globalThis));
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
