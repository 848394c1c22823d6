/**
 * The program of a step host: a process with a pool of threads that run users' code. Its main thread runs none: it passes work
 * on, watches deadlines and resident memory, and takes the whole process group with it when its parent is gone.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { MessageChannel, receiveMessageOnPort, type MessagePort } from "node:worker_threads";
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
  type WorkerOrder,
} from "./host-protocol.ts";
import { STOP_GRACE_MS, WATCH_INTERVAL_MS } from "./hosts-limits.ts";

interface Running {
  readonly port: MessagePort;
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
const heapMb = Math.ceil(Number(heapBytes) / 1024 ** 2);
const pool = new Piscina<WorkerOrder, unknown>({
  filename: new URL("step-worker.js", import.meta.url).href,
  name: "runOrder",
  minThreads: Number(threads),
  maxThreads: Number(threads),
  concurrentTasksPerWorker: 1,
  resourceLimits: { maxOldGenerationSizeMb: heapMb },
});
/** Resident before any step ran: not the attempts'. */
let baseBytes = 0;
let ticks = 0;

start();

function start(): void {
  firstForTheKernel();
  receiveFrames(socket, (message) => receive(message as ToHost));
  socket.on("error", endGroup);
  socket.on("close", endGroup);
  socket.on("end", endGroup);
  watch();
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
  if (message.t === "cancel") return stop(entry, 1);
  const { ask, location } = message;
  entry.port.postMessage({ t: "located", ask, ...(location === undefined ? {} : { location }) });
}

async function accept({ id, mark, work }: Extract<ToHost, { t: "work" }>): Promise<void> {
  if (running.size === 0) baseBytes = Math.max(0, residentBytes() - cache.bytes);
  const channel = new MessageChannel();
  const state = new SharedArrayBuffer(8);
  const entry: Running = {
    port: channel.port1,
    state: new Int32Array(state),
    kill: new AbortController(),
    timeoutMs: work.t === "batch" ? work.batch.timeoutMs : undefined,
    memBytesMax: work.t === "batch" ? work.batch.memBytesMax : Number(heapBytes),
    position: 0,
    since: performance.now(),
    killAt: Number.POSITIVE_INFINITY,
  };
  running.set(id, entry);
  channel.port1.on("message", (message: FromWorker) => fromWorker(id, message));
  try {
    const order = { work, port: channel.port2, state, marksFile, mark };
    const result = await pool.run(order, {
      transferList: [channel.port2],
      signal: entry.kill.signal,
    });
    drain(id, entry.port);
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
    channel.port1.close();
  }
}

/** The result and the messages sent before it come by two ports: what was said first is passed on first. */
function drain(id: number, port: MessagePort): void {
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    fromWorker(id, next.message as FromWorker);
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

function fromWorker(id: number, message: FromWorker): void {
  if (message.t === "progress") return send({ ...message, id });
  if (message.t === "locate") return send({ ...message, id });
  if (message.t === "child") return void children.add(message.pid);
  if (message.t === "give") return cache.give(message.content, message.data);
  const { ask, content } = message;
  const port = running.get(id)?.port;
  cache.take(content, (data) =>
    port?.postMessage({ t: "taken", ask, ...(data === undefined ? {} : { data }) }),
  );
}

function stop(entry: Running, reason: 1 | 2): void {
  if (Number.isFinite(entry.killAt)) return;
  Atomics.store(entry.state, STATE_STOP, reason);
  entry.port.postMessage({ t: "stop" });
  entry.killAt = performance.now() + STOP_GRACE_MS;
}

function watch(): void {
  systemClock.after(WATCH_INTERVAL_MS, watch);
  ticks += 1;
  if (ticks % 5 === 0) watchMemory();
  const now = performance.now();
  for (const entry of running.values()) {
    const position = Atomics.load(entry.state, STATE_POSITION);
    if (position !== entry.position) {
      Object.assign(entry, { position, since: now });
      if (Atomics.load(entry.state, STATE_STOP) !== 1) entry.killAt = Number.POSITIVE_INFINITY;
    }
    if (entry.timeoutMs !== undefined && position > 0 && now - entry.since > entry.timeoutMs)
      stop(entry, 2);
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
