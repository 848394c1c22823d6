/** What the engine's process and a step host say to each other over their socket, and a host's main thread to its workers. */
import type { MessagePort } from "node:worker_threads";
import type { ErrorRecord } from "../../model/errors.ts";
import type { ContentLocation } from "../../store/ports.ts";
import type { AttemptBatch, AttemptProgress } from "../../task/host-messages.ts";
import type { SplitRequest, SplitResult } from "../ports.ts";

export type Work =
  | { readonly t: "batch"; readonly batch: AttemptBatch }
  | { readonly t: "split"; readonly request: SplitRequest };

export type ToHost =
  | { readonly t: "work"; readonly id: number; readonly mark: number; readonly work: Work }
  | { readonly t: "cancel"; readonly id: number }
  | {
      readonly t: "located";
      readonly id: number;
      readonly ask: number;
      readonly location?: ContentLocation;
    };

export type FromHost =
  | { readonly t: "done"; readonly id: number; readonly result: unknown }
  /** The worker died or was killed while attempt `position` was running (-1: none). */
  | { readonly t: "broken"; readonly id: number; readonly position: number; readonly why: Broken }
  | { readonly t: "progress"; readonly id: number; readonly progress: AttemptProgress }
  | { readonly t: "locate"; readonly id: number; readonly ask: number; readonly content: string }
  | { readonly t: "memory"; readonly used: number; readonly limit: number };

export interface Broken {
  readonly result: "failed" | "cancelled";
  readonly error: ErrorRecord;
}

/** The result of a `split`. */
export type SplitAnswer = { readonly split: SplitResult } | { readonly error: ErrorRecord };

/** What a worker says as soon as it is loaded: what goes to and fro while it has an order goes through this port. */
export interface WorkerHello {
  readonly port: MessagePort;
}

/** One piece of work as a worker gets it. */
export interface WorkerOrder {
  readonly id: number;
  readonly work: Work;
  /** Int32: STATE_POSITION, STATE_STOP. */
  readonly state: SharedArrayBuffer;
  readonly marksFile: string;
  readonly mark: number;
}

/** 1 + position of the running attempt. */
export const STATE_POSITION = 0;
/** 0 go on, 1 cancelled, 2 timeout. */
export const STATE_STOP = 1;

/** `order`: the id of the order that the worker had when it spoke. */
export type FromWorker =
  | { readonly t: "progress"; readonly order: number; readonly progress: AttemptProgress }
  | {
      readonly t: "locate";
      readonly order: number;
      readonly ask: number;
      readonly content: string;
    }
  | { readonly t: "take"; readonly ask: number; readonly content: string }
  | { readonly t: "give"; readonly content: string; readonly data?: SharedArrayBuffer }
  | { readonly t: "child"; readonly pid: number };

export type ToWorker =
  /** Said to every worker: only the one that has the order knows that it has it. */
  | { readonly t: "stop"; readonly order: number }
  | { readonly t: "located"; readonly ask: number; readonly location?: ContentLocation }
  | { readonly t: "taken"; readonly ask: number; readonly data?: SharedArrayBuffer };
