/** The main thread's end of the store thread: started at the first request, never keeps the process alive while idle. */
import { Worker } from "node:worker_threads";
import { fromErrorRecord, MfError, type ErrorRecord } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { SegmentRecord } from "../segment/segment-format.ts";
import type { WalkedSegment } from "../segment/segment-walk.ts";

/** Bytes in shared memory, or the path of a file. */
export type PutItem = { readonly codec: "raw" | "messagepack" } & (
  | { readonly data: Uint8Array }
  | { readonly source: string }
);

type Work =
  | { readonly work: "walk"; readonly file: string }
  | { readonly work: "put"; readonly file: string; readonly items: readonly PutItem[] }
  | { readonly work: "copy"; readonly file: string; readonly items: readonly CopyItem[] };

/** A chunk where it is now. */
export interface CopyItem {
  readonly file: string;
  /** sha-256 in hex. */
  readonly digest: string;
  readonly offset: number;
  readonly bytes: number;
}

/** One segment of copies, fsynced: without those whose bytes were not what they should be. */
export interface CopiedGroup {
  readonly file: string;
  readonly bytes: number;
  readonly records: readonly SegmentRecord[];
}

/** One segment, written and fsynced. */
export interface WrittenGroup {
  readonly file: string;
  readonly bytes: number;
  readonly records: readonly SegmentRecord[];
  /** One an item; an error where its source could not be read. */
  readonly puts: readonly ({ id: Cid; bytes: number } | Error)[];
}

/** WrittenGroup as it crosses from the thread. */
export interface ThreadGroup extends Omit<WrittenGroup, "puts"> {
  readonly puts: readonly ({ id: Cid; bytes: number } | ThreadFailure)[];
}

export interface ThreadFailure {
  readonly error: ErrorRecord;
  /** `ENOSPC` and the like, which a record does not carry. */
  readonly code?: string;
}

export type ThreadRequest = Work & { readonly id: number };

export interface ThreadAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: ThreadFailure;
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

  async put(file: string, items: readonly PutItem[]): Promise<WrittenGroup> {
    const group = (await this.#ask({ work: "put", file, items })) as ThreadGroup;
    return { ...group, puts: group.puts.map((put) => ("error" in put ? errorOf(put) : put)) };
  }

  copy(file: string, items: readonly CopyItem[]): Promise<CopiedGroup> {
    return this.#ask({ work: "copy", file, items }) as Promise<CopiedGroup>;
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
    if (answer.failure === undefined) return waiting?.resolve(answer.value);
    waiting?.reject(errorOf(answer.failure));
  }

  #failAll(error: Error): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function errorOf({ error: record, code }: ThreadFailure): Error {
  const error = fromErrorRecord(record);
  if (record.code !== "INTERNAL") return error;
  return Object.assign(new Error(error.message), { code });
}
