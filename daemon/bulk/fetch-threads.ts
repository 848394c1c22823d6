/** The main thread's end of the threads that fetch: starts them when needed, splits what is large over them, ends them when idle. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Codec } from "../../src/artifact/cid.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { WrittenSegment } from "../../src/store/ports.ts";
import { FETCH_THREAD_IDLE_MS, FETCH_THREADS, SPLIT_BYTES_MIN } from "./bulk-limits.ts";
import type {
  DropReason,
  FetchThreadOptions,
  FromFetchThread,
  LaneOpening,
  ToFetchThread,
  Want,
} from "./thread-messages.ts";

export interface FetchRequest {
  readonly wants: readonly Want[];
  readonly peers: readonly PeerId[];
  readonly known: readonly { readonly codec: Codec; readonly data: Uint8Array }[];
  /** A segment is written and synced; it belongs to the receiver now. */
  readonly onSegment: (segment: WrittenSegment) => void;
  readonly onProgress: (bytes: number) => void;
  readonly onDropped: (peer: PeerId, why: DropReason, digest: string | undefined) => void;
}

export interface FetchEnd {
  /** Pieces that no source gave. */
  readonly missing: number;
  /** The system's error of a write that failed; THREAD_DIED where the thread that fetched is gone. */
  readonly failure?: { readonly code: string; readonly message: string };
}

export interface Fetch {
  readonly done: Promise<FetchEnd>;
  addPeer(peer: PeerId): void;
  cancel(): void;
}

export interface FetchThreadsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Asks the peer for a ticket. */
  readonly openLane: (peer: PeerId) => Promise<Omit<LaneOpening, "peer">>;
  readonly onSpeed: (peer: PeerId, bytes: number, ms: number) => void;
}

/** The code of an end that is nobody's fault but this program's. */
export const THREAD_DIED = "THREAD_DIED";

const FETCH_THREAD = new URL("./bulk-fetch-thread.js", import.meta.url);

export interface FetchThreadsOptions {
  readonly scratchDir: string;
  readonly stallMs: number;
  /** What a thread runs. @default bulk-fetch-thread */
  readonly thread?: URL;
}

interface Part {
  readonly request: FetchRequest;
  readonly settle: (end: FetchEnd) => void;
}

export class FetchThreads {
  readonly #deps: FetchThreadsDeps;
  readonly #options: FetchThreadsOptions;
  readonly #threads: FetchThread[] = [];
  #nextTransfer = 1;
  #cancelIdle: () => void = () => undefined;

  constructor(deps: FetchThreadsDeps, options: FetchThreadsOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  fetch(request: FetchRequest): Fetch {
    this.#cancelIdle();
    const split = splitWants(request.wants, threadCount());
    const parts = this.#pick(split.length).map((thread, i) => {
      const known = i === 0 ? request.known : [];
      return this.#startPart(thread, { ...request, wants: split[i] ?? [], known });
    });
    const done = Promise.all(parts.map((part) => part.done)).then((ends): FetchEnd => {
      this.#endWhenIdle();
      const failure = ends.find((end) => end.failure !== undefined)?.failure;
      const missing = ends.reduce((sum, end) => sum + end.missing, 0);
      return failure === undefined ? { missing } : { missing, failure };
    });
    return {
      done,
      addPeer: (peer) => parts.forEach((part) => part.addPeer(peer)),
      cancel: () => parts.forEach((part) => part.cancel()),
    };
  }

  async stop(): Promise<void> {
    this.#cancelIdle();
    await Promise.all(this.#threads.splice(0).map((thread) => thread.stop()));
  }

  #startPart(thread: FetchThread, request: FetchRequest): Fetch {
    const transfer = this.#nextTransfer++;
    const done = new Promise<FetchEnd>((settle) => {
      thread.begin(transfer, { request, settle });
    });
    return {
      done,
      addPeer: (peer) => thread.post({ t: "peer", transfer, peer }),
      cancel: () => thread.post({ t: "cancel", transfer }),
    };
  }

  /** Those with the least to do; the first ones otherwise, so that their lanes are used again. */
  #pick(count: number): FetchThread[] {
    while (this.#threads.length < count) this.#threads.push(this.#newThread());
    const byLoad = [...this.#threads].sort((a, b) => a.transfers - b.transfers);
    return byLoad.slice(0, count);
  }

  #newThread(): FetchThread {
    const prefix = `bulk-${Buffer.from(this.#deps.random.bytes(6)).toString("hex")}`;
    const { scratchDir, stallMs, thread: url = FETCH_THREAD } = this.#options;
    const worker = new Worker(url, {
      workerData: { scratchDir, stallMs, prefix } satisfies FetchThreadOptions,
      name: "mf-bulk-fetch",
    });
    const thread = new FetchThread(this.#deps, worker, () => {
      const at = this.#threads.indexOf(thread);
      if (at >= 0) this.#threads.splice(at, 1);
    });
    return thread;
  }

  #endWhenIdle(): void {
    this.#cancelIdle();
    if (this.#threads.some((thread) => thread.transfers > 0)) return;
    const end = (): void => void this.stop();
    this.#cancelIdle = this.#deps.clock.after(FETCH_THREAD_IDLE_MS, end, { unref: true });
  }
}

class FetchThread {
  readonly #deps: FetchThreadsDeps;
  readonly #parts = new Map<number, Part>();
  readonly #worker: Worker;
  #isStopping = false;

  constructor(deps: FetchThreadsDeps, worker: Worker, ended: () => void) {
    this.#deps = deps;
    this.#worker = worker;
    this.#worker.unref();
    let reason = "it ended by itself";
    this.#worker.on("message", (message: FromFetchThread) => this.#heard(message));
    this.#worker.on("error", (error) => {
      reason = error.message;
      deps.logger.error("bulk.fetch-thread-died", { reason: error.message });
    });
    this.#worker.on("exit", () => {
      ended();
      const parts = [...this.#parts.values()];
      this.#parts.clear();
      const failure = { code: THREAD_DIED, message: `the thread that fetches died: ${reason}` };
      for (const { request, settle } of parts) {
        const missing = request.wants.length;
        settle(this.#isStopping ? { missing } : { missing, failure });
      }
    });
  }

  get transfers(): number {
    return this.#parts.size;
  }

  begin(transfer: number, part: Part): void {
    const { wants, peers, known } = part.request;
    this.#parts.set(transfer, part);
    this.#worker.ref();
    this.post({ t: "transfer", transfer, wants, peers, known });
  }

  post(message: ToFetchThread): void {
    this.#worker.postMessage(message);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#worker.terminate();
  }

  #heard(message: FromFetchThread): void {
    switch (message.t) {
      case "need-lane":
        return void this.#openLane(message.peer);
      case "lane-speed":
        return this.#deps.onSpeed(message.peer, message.bytes, message.ms);
      case "segment":
        return this.#parts.get(message.transfer)?.request.onSegment(message.segment);
      case "progress":
        return this.#parts.get(message.transfer)?.request.onProgress(message.bytes);
      case "dropped": {
        const { transfer, peer, why, digest } = message;
        return this.#parts.get(transfer)?.request.onDropped(peer, why, digest);
      }
      case "ended": {
        const part = this.#parts.get(message.transfer);
        this.#parts.delete(message.transfer);
        if (this.#parts.size === 0) this.#worker.unref();
        const { missing, failure } = message;
        part?.settle(failure === undefined ? { missing } : { missing, failure });
      }
    }
  }

  async #openLane(peer: PeerId): Promise<void> {
    try {
      this.post({ t: "lane", peer, ...(await this.#deps.openLane(peer)) });
    } catch (error) {
      this.#deps.logger.debug("bulk.no-lane", { peer, reason: String(error) });
      this.post({ t: "no-lane", peer });
    }
  }
}

function threadCount(): number {
  return Math.min(FETCH_THREADS, availableParallelism());
}

/** One part, or one a thread, dealt out in turn so that they end together. */
function splitWants(wants: readonly Want[], count: number): Want[][] {
  const bytes = wants.reduce((sum, want) => sum + want.bytesGuess, 0);
  if (bytes < SPLIT_BYTES_MIN || count < 2) return [[...wants]];
  const parts: Want[][] = Array.from({ length: count }, () => []);
  for (const [i, want] of wants.entries()) parts[i % count]?.push(want);
  return parts;
}
