/** A worker thread of a step host: takes one order at a time from Piscina and runs it. */
import { closeSync, openSync, writeSync } from "node:fs";
import { MfError, toErrorRecord } from "../../model/errors.ts";
import type { ContentLocation } from "../../store/ports.ts";
import { readLocation, readShared } from "../../store/segment/segment-reader.ts";
import { executeBatch, type BatchDeps, type Stopper } from "../../task/execute-batch.ts";
import type { AttemptBatch, BatchResult } from "../../task/host-messages.ts";
import { listAt } from "../../task/load-inputs.ts";
import { ScratchSegment, storeTable } from "../../task/store-outputs.ts";
import { SHARED_CONTENT_BYTES_MIN } from "../../task/task-limits.ts";
import { WorkingCopies } from "../../task/working-copies.ts";
import type { SplitRequest, SplitResult } from "../ports.ts";
import {
  STATE_POSITION,
  STATE_STOP,
  type FromWorker,
  type SplitAnswer,
  type ToWorker,
  type WorkerOrder,
} from "./host-protocol.ts";
import { callPython } from "./python/call-python.ts";

const MARK = new Int32Array(1);
const copies = new WorkingCopies();

/** What ends the running attempt from outside its own promise. */
let failRunning: (error: unknown) => void = () => undefined;
process.on("uncaughtException", (error) => failRunning(error));
process.on("unhandledRejection", (error) => failRunning(error));

export async function runOrder(order: WorkerOrder): Promise<BatchResult | SplitAnswer> {
  if (order.work.t === "split") {
    try {
      return { split: split(order.work.request) };
    } catch (error) {
      // As a record: an error that is cloned between threads loses its code.
      return { error: toErrorRecord(error) };
    }
  }
  return new OrderRun(order).run(order.work.batch);
}

function split(request: SplitRequest): SplitResult {
  const scratch = new ScratchSegment(request.scratchFile);
  const data = readLocation(request.content);
  const list = request.codec === "raw" ? data : listAt(data, request);
  const table = storeTable(list, { step: request.step, name: request.source }, scratch);
  const scratchFile = scratch.finish();
  return scratchFile === undefined ? { table } : { table, scratchFile };
}

function guard<T>(work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    failRunning = reject;
    work.then(resolve, reject);
  });
}

/** The abort controller of an attempt, made when its signal is asked for. */
class LazyStopper implements Stopper {
  #controller: AbortController | undefined;
  #isStopped = false;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isStopped) this.stop();
    }
    return this.#controller.signal;
  }

  stop(): void {
    this.#isStopped = true;
    this.#controller?.abort(new MfError("STEP_CANCELLED"));
  }
}

class OrderRun {
  readonly #order: WorkerOrder;
  readonly #state: Int32Array;
  readonly #answers = new Map<number, (answer: Exclude<ToWorker, { t: "stop" }>) => void>();
  /** Small contents of this batch: several attempts read the same ones. */
  readonly #read = new Map<string, Uint8Array>();
  #stopper = new LazyStopper();
  #asks = 0;

  constructor(order: WorkerOrder) {
    this.#order = order;
    this.#state = new Int32Array(order.state);
  }

  async run(batch: AttemptBatch): Promise<BatchResult> {
    const marks = openSync(this.#order.marksFile, "r+");
    this.#order.port.on("message", (message: ToWorker) => this.#receive(message));
    try {
      return await executeBatch(batch, this.#deps(marks));
    } finally {
      failRunning = () => undefined;
      closeSync(marks);
      this.#order.port.close();
    }
  }

  #deps(marks: number): BatchDeps {
    return {
      began: (position) => this.#begin(marks, position),
      guard,
      stopped: () =>
        ([undefined, "cancelled", "timeout"] as const)[Atomics.load(this.#state, STATE_STOP)],
      read: (id, location) => this.#content(id, location),
      copies,
      locate: (id) => this.#locate(id),
      report: (progress) => this.#send({ t: "progress", progress }),
      python: (code, inputs, call) =>
        callPython({ code, inputs, call, started: (pid) => this.#send({ t: "child", pid }) }),
    };
  }

  #begin(marks: number, position: number): LazyStopper {
    Atomics.compareExchange(this.#state, STATE_STOP, 2, 0);
    Atomics.store(this.#state, STATE_POSITION, position + 1);
    // A write to the page cache outlives this process, which is all it has to.
    MARK[0] = position + 1;
    writeSync(marks, MARK, 0, 4, this.#order.mark * 4);
    this.#stopper = new LazyStopper();
    return this.#stopper;
  }

  #receive(message: ToWorker): void {
    if (message.t === "stop") return this.#stopper.stop();
    this.#answers.get(message.ask)?.(message);
    this.#answers.delete(message.ask);
  }

  #send(message: FromWorker): void {
    this.#order.port.postMessage(message);
  }

  #ask(t: "locate" | "take", content: string): Promise<Exclude<ToWorker, { t: "stop" }>> {
    return new Promise((resolve) => {
      const ask = (this.#asks += 1);
      this.#answers.set(ask, resolve);
      this.#send({ t, ask, content });
    });
  }

  async #locate(id: string): Promise<ContentLocation | undefined> {
    const answer = await this.#ask("locate", id);
    return answer.t === "located" ? answer.location : undefined;
  }

  async #content(id: string, given: ContentLocation | undefined): Promise<Uint8Array> {
    const known = this.#read.get(id);
    if (known !== undefined) return known;
    const location = given ?? (await this.#locate(id));
    if (location === undefined) throw new MfError("CONTENT_MISSING", { id });
    if ("inline" in location) return location.inline;
    if (location.bytes > SHARED_CONTENT_BYTES_MIN) return this.#shared(id, location);
    const data = readLocation(location);
    this.#read.set(id, data);
    return data;
  }

  async #shared(
    id: string,
    location: Exclude<ContentLocation, { inline: unknown }>,
  ): Promise<Uint8Array> {
    const answer = await this.#ask("take", id);
    if (answer.t === "taken" && answer.data !== undefined) return new Uint8Array(answer.data);
    let shared: SharedArrayBuffer | undefined;
    try {
      const read = readShared(location);
      ({ shared } = read);
      return read.data;
    } finally {
      this.#send({ t: "give", content: id, ...(shared === undefined ? {} : { data: shared }) });
    }
  }
}
