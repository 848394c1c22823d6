/** Step hosts without processes: steps are plain functions given by name; a script says what goes wrong. */
import { setImmediate } from "node:timers/promises";
import { cidOf } from "../../src/artifact/cid.ts";
import { decodeValue, encodeValue } from "../../src/artifact/codec.ts";
import { encodeElementTable } from "../../src/artifact/element-table.ts";
import type {
  HostPool,
  RunBatchOptions,
  SplitRequest,
  SplitResult,
} from "../../src/engine/ports.ts";
import { isMfError, MfError, toErrorRecord } from "../../src/model/errors.ts";
import type { InputSource } from "../../src/model/fact.ts";
import { taskText } from "../../src/model/ids.ts";
import type { ContentLocation, StoredOutput } from "../../src/store/ports.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptSpec,
  BatchResult,
} from "../../src/task/host-messages.ts";

export type FakeStep = (
  inputs: Record<string, unknown>,
  spec: AttemptSpec,
) => Record<string, unknown>;

export interface FakeHostOptions {
  readonly slots?: number;
  /** Called before each attempt: anything but "run" is its outcome. */
  readonly script?: (
    step: string,
    spec: AttemptSpec,
    options: RunBatchOptions,
  ) => "run" | "lost" | "not-started";
  /** Resolves when a batch may begin. */
  readonly gate?: (batch: AttemptBatch, options: RunBatchOptions) => Promise<void>;
  /** Results that are the same whatever the inputs, made once: for measuring the engine alone. */
  readonly isBlind?: boolean;
}

export class FakeHosts implements HostPool {
  readonly slots: number;
  readonly #steps: Readonly<Record<string, FakeStep>>;
  readonly #options: FakeHostOptions;
  /** Attempts executed, by task. */
  readonly executed = new Map<string, number>();
  readonly batches: { step: string; size: number; exclusive: boolean }[] = [];
  splitCount = 0;
  runningMax = 0;
  #running = 0;
  #slotsTaken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(steps: Readonly<Record<string, FakeStep>>, options: FakeHostOptions = {}) {
    this.#steps = steps;
    this.#options = options;
    this.slots = options.slots ?? 2;
  }

  get executedCount(): number {
    return [...this.executed.values()].reduce((sum, count) => sum + count, 0);
  }

  async runBatch(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult> {
    this.batches.push({
      step: batch.step,
      size: batch.attempts.length,
      exclusive: options.exclusive,
    });
    // As in a shared host: what finds no thread free waits its turn.
    if (!options.exclusive) await this.#slot();
    this.#running++;
    this.runningMax = Math.max(this.runningMax, this.#running);
    await (this.#options.gate?.(batch, options) ?? setImmediate());
    this.#running--;
    if (!options.exclusive) this.#freeSlot();
    return {
      outcomes: batch.attempts.map((spec, position) =>
        this.#attempt(batch, spec, { position, options }),
      ),
    };
  }

  #slot(): Promise<void> | undefined {
    if (this.#slotsTaken < this.slots) {
      this.#slotsTaken++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The next that waits takes it over. */
  #freeSlot(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#slotsTaken--;
    else next();
  }

  async splitContent({ step, source, content, path }: SplitRequest): Promise<SplitResult> {
    this.splitCount++;
    await setImmediate();
    const value = walk(decodeValue(inlineOf(content)), path);
    if (!isList(value)) throw new MfError("EACH_NOT_LIST", { source, step, what: typeof value });
    return { table: tableOf(value) };
  }

  async pythonEnvironment(): Promise<string> {
    return "python 3";
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  #attempt(
    batch: AttemptBatch,
    spec: AttemptSpec,
    { position, options }: { position: number; options: RunBatchOptions },
  ): AttemptOutcome {
    const base = { position, wallMs: 0.1, cpuMs: 0.1, rssBytesMax: 1 };
    if (options.signal?.aborted === true) return { ...base, result: "cancelled" };
    const told = this.#options.script?.(batch.step, spec, options) ?? "run";
    if (told !== "run") return { ...base, result: told };
    const task = taskText({ step: batch.step, index: spec.index });
    this.executed.set(task, (this.executed.get(task) ?? 0) + 1);
    if (this.#options.isBlind === true)
      return { ...base, result: "succeeded", outputs: { x: blindOutput(spec.index.at(-1) ?? 0) } };
    const contents = batch.contents as ReadonlyMap<string, ContentLocation>;
    try {
      const inputs =
        "whole" in spec.inputs
          ? (load(spec.inputs.whole, contents) as Record<string, unknown>)
          : Object.fromEntries(
              Object.entries(spec.inputs.fields).map(([name, source]) => [
                name,
                load(source, contents),
              ]),
            );
      const made = (this.#steps[batch.step] as FakeStep)(inputs, spec);
      const outputs = Object.fromEntries(
        Object.entries(made).map(([name, value]) => [name, outputOf(value)]),
      );
      const tables: Record<string, StoredOutput> = {};
      for (const name of batch.eachOutputs)
        if (isList(made[name])) tables[name] = tableOf(made[name]);
      return { ...base, result: "succeeded", outputs, tables };
    } catch (error) {
      const record = isMfError(error)
        ? toErrorRecord(error)
        : { code: "STEP_THREW" as const, details: { message: (error as Error).message } };
      return { ...base, result: "failed", error: record };
    }
  }
}

function load(source: InputSource, contents: ReadonlyMap<string, ContentLocation>): unknown {
  switch (source.k) {
    case "bytes":
      return decodeValue(source.data);
    case "artifact":
      return walk(decodeValue(inlineOf(contents.get(source.id))), source.path ?? []);
    case "list":
      return source.items.map((item) => load(item, contents));
    case "object":
      return Object.fromEntries(
        Object.entries(source.fields).map(([name, field]) => [name, load(field, contents)]),
      );
  }
}

function outputOf(value: unknown): StoredOutput {
  const { data, kind } = encodeValue(value);
  return { ref: { id: cidOf("messagepack", data), bytes: data.length, kind }, data };
}

const blind = new Map<number, StoredOutput>();

function blindOutput(i: number): StoredOutput {
  const known = blind.get(i) ?? outputOf(i);
  blind.set(i, known);
  return known;
}

function tableOf(list: Iterable<unknown>): StoredOutput {
  const { data } = encodeElementTable(list);
  return { ref: { id: cidOf("messagepack", data), bytes: data.length, kind: "elements" }, data };
}

function isList(value: unknown): value is Iterable<unknown> {
  return Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Set;
}

function walk(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], value);
}

function inlineOf(location: ContentLocation | undefined): Uint8Array {
  if (location === undefined || !("inline" in location))
    throw new Error("content was not sent with the batch");
  return location.inline;
}
