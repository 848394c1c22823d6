/** A worker thread of a step host: takes one order at a time from Piscina and runs it. */
import { openSync, writeSync } from "node:fs";
import { MessageChannel, parentPort } from "node:worker_threads";
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
  type WorkerHello,
  type WorkerOrder,
} from "./host-protocol.ts";
import { callPython } from "./python/call-python.ts";

const MARK = new Int32Array(1);
const copies = new WorkingCopies();
/** To the host's main thread. */
const port = openPort();
const answers = new Map<number, (answer: Exclude<ToWorker, { t: "stop" }>) => void>();
let asks = 0;
/** Opened by the first order: all orders of a host share the file. */
let marks: number | undefined;
let running: OrderRun | undefined;

/** What ends the running attempt from outside its own promise. */
let failRunning: (error: unknown) => void = () => undefined;
process.on("uncaughtException", (error) => failRunning(error));
process.on("unhandledRejection", (error) => failRunning(error));

function openPort(): MessageChannel["port1"] {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", (message: ToWorker) => {
    if (message.t === "stop") return running?.stop(message.order);
    answers.get(message.ask)?.(message);
    answers.delete(message.ask);
  });
  const hello: WorkerHello = { port: port2 };
  parentPort?.postMessage(hello, [port2]);
  return port1;
}

function send(message: FromWorker): void {
  port.postMessage(message);
}

export async function runOrder(order: WorkerOrder): Promise<BatchResult | SplitAnswer> {
  if (order.work.t === "split") {
    try {
      return { split: split(order.work.request) };
    } catch (error) {
      // As a record: an error that is cloned between threads loses its code.
      return { error: toErrorRecord(error) };
    }
  }
  running = new OrderRun(order);
  try {
    return await running.run(order.work.batch);
  } finally {
    failRunning = () => undefined;
    running = undefined;
  }
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

/** The answer to what `ask` sends with the number it is given. */
function asked(ask: (id: number) => void): Promise<Exclude<ToWorker, { t: "stop" }>> {
  return new Promise((resolve) => {
    const id = (asks += 1);
    answers.set(id, resolve);
    ask(id);
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
  /** Small contents of this batch: several attempts read the same ones. */
  readonly #read = new Map<string, Uint8Array>();
  #stopper = new LazyStopper();

  constructor(order: WorkerOrder) {
    this.#order = order;
    this.#state = new Int32Array(order.state);
  }

  async run(batch: AttemptBatch): Promise<BatchResult> {
    marks ??= openSync(this.#order.marksFile, "r+");
    return await executeBatch(batch, this.#deps(marks));
  }

  stop(order: number): void {
    if (order === this.#order.id) this.#stopper.stop();
  }

  #deps(file: number): BatchDeps {
    const order = this.#order.id;
    return {
      began: (position) => this.#begin(file, position),
      guard,
      stopped: () =>
        ([undefined, "cancelled", "timeout"] as const)[Atomics.load(this.#state, STATE_STOP)],
      read: (id, location) => this.#content(id, location),
      copies,
      locate: (id) => this.#locate(id),
      report: (progress) => send({ t: "progress", order, progress }),
      python: (code, inputs, call) =>
        callPython({ code, inputs, call, started: (pid) => send({ t: "child", pid }) }),
    };
  }

  #begin(file: number, position: number): LazyStopper {
    Atomics.compareExchange(this.#state, STATE_STOP, 2, 0);
    Atomics.store(this.#state, STATE_POSITION, position + 1);
    // A write to the page cache outlives this process, which is all it has to.
    MARK[0] = position + 1;
    writeSync(file, MARK, 0, 4, this.#order.mark * 4);
    this.#stopper = new LazyStopper();
    return this.#stopper;
  }

  async #locate(content: string): Promise<ContentLocation | undefined> {
    const answer = await asked((ask) => send({ t: "locate", order: this.#order.id, ask, content }));
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
    const answer = await asked((ask) => send({ t: "take", ask, content: id }));
    if (answer.t === "taken" && answer.data !== undefined) return new Uint8Array(answer.data);
    let shared: SharedArrayBuffer | undefined;
    try {
      const read = readShared(location);
      ({ shared } = read);
      return read.data;
    } finally {
      send({ t: "give", content: id, ...(shared === undefined ? {} : { data: shared }) });
    }
  }
}
