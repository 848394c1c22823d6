/** The main thread's end of the store thread: started at the first request, never keeps the process alive while idle. */
import { Worker } from "node:worker_threads";
import { fromErrorRecord, MfError, type ErrorRecord } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { WalkedSegment } from "../segment/segment-walk.ts";

type Work =
  | { readonly work: "walk"; readonly file: string }
  | {
      readonly work: "put";
      readonly file: string;
      readonly source: string;
      readonly codec: "raw" | "messagepack";
    };

export type ThreadRequest = Work & { readonly id: number };

export interface ThreadAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: ErrorRecord;
  /** `ENOSPC` and the like, which a record does not carry. */
  readonly code?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class StoreWorker {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #next = 1;

  walk(file: string): Promise<WalkedSegment> {
    return this.#ask({ work: "walk", file }) as Promise<WalkedSegment>;
  }

  put(
    source: string,
    file: string,
    codec: "raw" | "messagepack",
  ): Promise<{ id: Cid; bytes: number }> {
    return this.#ask({ work: "put", source, file, codec }) as Promise<{ id: Cid; bytes: number }>;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #ask(work: Work): Promise<unknown> {
    const worker = (this.#worker ??= this.#start());
    const id = this.#next++;
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ ...work, id } satisfies ThreadRequest);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./store-thread.js", import.meta.url));
    worker.on("message", (answer: ThreadAnswer) => this.#settle(worker, answer));
    worker.on("error", (error) => this.#failAll(error));
    worker.on("exit", () =>
      this.#failAll(new MfError("INTERNAL", { message: "the store thread ended" })),
    );
    return worker;
  }

  #settle(worker: Worker, answer: ThreadAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) worker.unref();
    if (answer.error === undefined) return waiting?.resolve(answer.value);
    const error = fromErrorRecord(answer.error);
    if (answer.error.code !== "INTERNAL") return waiting?.reject(error);
    waiting?.reject(Object.assign(new Error(error.message), { code: answer.code }));
  }

  #failAll(error: Error): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
