/**
 * The program of a step host: a process with a pool of threads that run users' code. Its main thread runs none: it passes work
 * on, watches deadlines and resident memory, and takes the whole process group with it when its parent is gone.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import { systemClock } from "../../env/clock.ts";
import { MfError, toErrorRecord, type ErrorRecord } from "../../model/errors.ts";
import { timeoutRecord } from "../../task/execute-batch.ts";
import { ContentCache } from "./content-cache.ts";
import { receiveFrames, sendFrame } from "./frames.ts";
import {
  STATE_POSITION,
  STATE_STOP,
  type FromHost,
  type FromWorker,
  type ToHost,
  type ToWorker,
  type WorkerHello,
  type WorkerOrder,
} from "./host-protocol.ts";
import { STOP_GRACE_MS, WATCH_INTERVAL_MS } from "./hosts-limits.ts";

interface Running {
  /** Of the worker, once it has asked for something. */
  port: MessagePort | undefined;
  readonly state: Int32Array;
  readonly kill: AbortController;
  readonly timeoutMs: number | undefined;
  readonly memBytesMax: number;
  position: number;
  since: number;
  /** When the grace after a stop is over. */
  killAt: number;
}

const [threads = "1", heapBytes = "0", marksFile = ""] = process.argv.slice(2);
const socket = new Socket({ fd: 3 });
const cache = new ContentCache();
const running = new Map<number, Running>();
const children = new Set<number>();
/** One a worker thread, for as long as it lives. */
const ports = new Set<MessagePort>();
const heapMb = Math.ceil(Number(heapBytes) / 1024 ** 2);
const pool = new Piscina<WorkerOrder, unknown>({
  filename: new URL("step-worker.js", import.meta.url).href,
  name: "runOrder",
  minThreads: Number(threads),
  maxThreads: Number(threads),
  concurrentTasksPerWorker: 1,
  recordTiming: false,
  resourceLimits: { maxOldGenerationSizeMb: heapMb },
});
/** Resident before any step ran: not the attempts'. */
let baseBytes = 0;
let ticks = 0;

start();

function start(): void {
  firstForTheKernel();
  // A worker says hello before it says that it is ready, so before it can have an order.
  pool.on("message", (hello: WorkerHello) => meet(hello.port));
  receiveFrames(socket, (message) => receive(message as ToHost));
  socket.on("error", endGroup);
  socket.on("close", endGroup);
  socket.on("end", endGroup);
  watch();
}

function meet(port: MessagePort): void {
  ports.add(port);
  port.on("message", (message: FromWorker) => fromWorker(port, message));
  port.on("close", () => ports.delete(port));
}

/** The parent is gone: threads in endless loops and their children must go as well. */
function endGroup(): void {
  process.kill(-process.pid, "SIGKILL");
}

function firstForTheKernel(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "900");
  } catch {
    // Not Linux, or not permitted: the watch on resident memory remains.
  }
}

function send(message: FromHost, sent?: () => void): void {
  sendFrame(socket, message, sent);
}

function receive(message: ToHost): void {
  if (message.t === "work") return void accept(message);
  const entry = running.get(message.id);
  if (entry === undefined) return;
  if (message.t === "cancel") return stop(message.id, entry, 1);
  const { ask, location } = message;
  const answer: ToWorker = { t: "located", ask, ...(location === undefined ? {} : { location }) };
  entry.port?.postMessage(answer);
}

async function accept({ id, mark, work }: Extract<ToHost, { t: "work" }>): Promise<void> {
  if (running.size === 0) baseBytes = Math.max(0, residentBytes() - cache.bytes);
  const state = new SharedArrayBuffer(8);
  const entry: Running = {
    port: undefined,
    state: new Int32Array(state),
    kill: new AbortController(),
    timeoutMs: work.t === "batch" ? work.batch.timeoutMs : undefined,
    memBytesMax: work.t === "batch" ? work.batch.memBytesMax : Number(heapBytes),
    position: 0,
    since: performance.now(),
    killAt: Number.POSITIVE_INFINITY,
  };
  running.set(id, entry);
  try {
    const result = await pool.run(
      { id, work, state, marksFile, mark },
      { signal: entry.kill.signal },
    );
    for (const port of ports) drain(port);
    send({ t: "done", id, result });
  } catch (error) {
    const position = Atomics.load(entry.state, STATE_POSITION) - 1;
    const isCancelled = Atomics.load(entry.state, STATE_STOP) === 1;
    const why = {
      result: isCancelled ? "cancelled" : "failed",
      error: whyBroken(error, entry),
    } as const;
    send({ t: "broken", id, position, why });
  } finally {
    running.delete(id);
  }
}

/** The result and the messages sent before it come by two ports: what was said first is passed on first. */
function drain(port: MessagePort): void {
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    fromWorker(port, next.message as FromWorker);
  }
}

function whyBroken(error: unknown, entry: Running): ErrorRecord {
  const stopped = Atomics.load(entry.state, STATE_STOP);
  if (stopped === 1) return toErrorRecord(new MfError("STEP_CANCELLED"));
  if (stopped === 2) return timeoutRecord({ timeoutMs: entry.timeoutMs ?? 0 });
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_WORKER_OUT_OF_MEMORY") {
    return memoryRecord(`all of its heap`, entry.memBytesMax);
  }
  const exit = /^worker exited with code: (-?\d+)/.exec(message);
  if (exit !== null) return toErrorRecord(new MfError("STEP_EXITED", { code: Number(exit[1]) }));
  return toErrorRecord(error);
}

function memoryRecord(used: string, limit: number): ErrorRecord {
  return toErrorRecord(
    new MfError("STEP_MEMORY", { used, limit: `${Math.round(limit / 1024 ** 2)} MiB` }),
  );
}

function fromWorker(port: MessagePort, message: FromWorker): void {
  if (message.t === "progress")
    return send({ t: "progress", id: message.order, progress: message.progress });
  if (message.t === "locate") return locate(port, message);
  if (message.t === "child") return void children.add(message.pid);
  if (message.t === "give") return cache.give(message.content, message.data);
  const { ask, content } = message;
  cache.take(content, (data) => {
    const answer: ToWorker = { t: "taken", ask, ...(data === undefined ? {} : { data }) };
    port.postMessage(answer);
  });
}

function locate(port: MessagePort, message: Extract<FromWorker, { t: "locate" }>): void {
  const { order, ask, content } = message;
  const entry = running.get(order);
  if (entry === undefined) return;
  entry.port = port;
  send({ t: "locate", id: order, ask, content });
}

function stop(id: number, entry: Running, reason: 1 | 2): void {
  if (Number.isFinite(entry.killAt)) return;
  Atomics.store(entry.state, STATE_STOP, reason);
  const order: ToWorker = { t: "stop", order: id };
  for (const port of ports) port.postMessage(order);
  entry.killAt = performance.now() + STOP_GRACE_MS;
}

function watch(): void {
  systemClock.after(WATCH_INTERVAL_MS, watch);
  ticks += 1;
  if (ticks % 5 === 0) watchMemory();
  const now = performance.now();
  for (const [id, entry] of running) {
    const position = Atomics.load(entry.state, STATE_POSITION);
    if (position !== entry.position) {
      Object.assign(entry, { position, since: now });
      if (Atomics.load(entry.state, STATE_STOP) !== 1) entry.killAt = Number.POSITIVE_INFINITY;
    }
    if (entry.timeoutMs !== undefined && position > 0 && now - entry.since > entry.timeoutMs)
      stop(id, entry, 2);
    if (now >= entry.killAt) entry.kill.abort();
  }
}

function watchMemory(): void {
  if (running.size === 0) return;
  const used = residentBytes() - baseBytes - cache.bytes;
  // The oldest have the threads; the others wait for one and use nothing yet.
  const limit = [...running.values()]
    .slice(0, Number(threads))
    .reduce((all, entry) => all + entry.memBytesMax, 0);
  if (used > limit) send({ t: "memory", used, limit }, endGroup);
}

function residentBytes(): number {
  let all = process.memoryUsage.rss();
  for (const pid of children) {
    try {
      all += Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * 4096;
    } catch {
      children.delete(pid);
    }
  }
  return all;
}
