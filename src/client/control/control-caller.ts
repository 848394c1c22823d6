/**
 * The asking end of one control connection: many questions at once, events to whoever asked, an end to questions nobody waits for.
 * While a listener is busy with an event the socket is not read, so that whoever sends too fast is slowed down at the source.
 */
import type { Socket } from "node:net";
import { fromErrorRecord, MfError } from "../../model/errors.ts";
import {
  CONTROL_VERSION,
  decodeResponse,
  encodeFrame,
  LineSplitter,
  RESPONSE_BYTES_MAX,
  type ControlResponse,
} from "./control-protocol.ts";

export interface CallOptions {
  readonly onEvent?: (event: unknown) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onEvent?: CallOptions["onEvent"];
  /** What still comes of it is passed over. */
  isCancelled: boolean;
}

export class ControlCaller {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #splitter = new LineSplitter(RESPONSE_BYTES_MAX);
  #nextId = 1;
  #lines: string[] = [];
  #isBusy = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      // What has arrived is answered first, unless a listener still holds the line up.
      if (!this.#isBusy) this.#failAll();
    });
  }

  call(method: string, params: readonly unknown[], options: CallOptions = {}): Promise<unknown> {
    const { signal, onEvent } = options;
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(new MfError("INTERRUPTED"));
      if (this.#socket.destroyed) return reject(connectionLost());
      const cancel = (): void => this.#cancel(id);
      const finish = <T>(settle: (value: T) => void) => {
        return (value: T): void => {
          signal?.removeEventListener("abort", cancel);
          settle(value);
        };
      };
      this.#waiting.set(id, {
        resolve: finish(resolve),
        reject: finish(reject),
        onEvent,
        isCancelled: false,
      });
      signal?.addEventListener("abort", cancel, { once: true });
      this.#socket.write(encodeFrame({ v: CONTROL_VERSION, id, method, params }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #cancel(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    waiting.isCancelled = true;
    if (!this.#socket.destroyed)
      this.#socket.write(encodeFrame({ v: CONTROL_VERSION, id, cancel: true }));
    waiting.reject(new MfError("INTERRUPTED"));
  }

  #receive(chunk: Buffer): void {
    const lines = this.#splitter.push(chunk);
    if (lines === undefined) return void this.#socket.destroy();
    for (const line of lines) this.#lines.push(line);
    if (!this.#isBusy) this.#work();
  }

  /** Line by line; a listener that needs time stops it, and the socket with it. */
  #work(): void {
    let at = 0;
    while (at < this.#lines.length) {
      const response = decodeResponse(this.#lines[at] ?? "");
      at += 1;
      const busy = response === undefined ? "fault" : this.#take(response);
      if (busy === undefined) continue;
      if (busy === "fault") {
        this.#lines = [];
        return void this.#socket.destroy();
      }
      this.#lines = this.#lines.slice(at);
      return this.#waitFor(busy);
    }
    this.#lines = [];
  }

  #waitFor(busy: Promise<void>): void {
    this.#isBusy = true;
    this.#socket.pause();
    const goOn = (): void => {
      this.#isBusy = false;
      this.#work();
      if (this.#isBusy) return;
      if (this.#socket.destroyed) this.#failAll();
      else this.#socket.resume();
    };
    busy.then(goOn, goOn);
  }

  #take(response: ControlResponse): Promise<void> | "fault" | undefined {
    const waiting = this.#waiting.get(response.id);
    if (waiting === undefined) return "fault";
    if ("event" in response) {
      if (waiting.isCancelled) return undefined;
      const pending = waiting.onEvent?.(response.event);
      return pending instanceof Promise ? pending : undefined;
    }
    this.#waiting.delete(response.id);
    if ("error" in response) waiting.reject(fromErrorRecord(response.error));
    else waiting.resolve(response.result);
    return undefined;
  }

  #failAll(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(connectionLost());
    this.#waiting.clear();
  }
}

function connectionLost(): MfError {
  return new MfError("CONTROL_LOST");
}
