/** The answering end of one control connection: questions in, events and results out, with limits on what waits in either direction. */
import type { Socket } from "node:net";
import type { Logger } from "../../env/logger.ts";
import { MfError, toErrorRecord } from "../../model/errors.ts";
import {
  CONTROL_VERSION,
  decodeRequest,
  encodeFrame,
  LineSplitter,
  REQUEST_BYTES_MAX,
  REQUESTS_PENDING_MAX,
  SUBMIT_BYTES_MAX,
  UNSENT_BYTES_HIGH,
  UNSENT_BYTES_MAX,
  type ControlRequest,
} from "./control-protocol.ts";
import { callDaemon, callHolder, type Question, type StoreHolder } from "./control-methods.ts";
import type { DaemonSide } from "./daemon-side.ts";

export type ControlServerDeps = {
  readonly logger: Logger;
} & (StoreHolder | { readonly daemonSide: DaemonSide });

export class ControlSession {
  readonly #socket: Socket;
  readonly #deps: ControlServerDeps;
  readonly #splitter: LineSplitter;
  readonly #pending = new Map<number, AbortController>();
  #pendingBytes = 0;
  #roomWaiters: (() => void)[] = [];
  #hasDropped = false;

  constructor(socket: Socket, deps: ControlServerDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#splitter = new LineSplitter("daemonSide" in deps ? SUBMIT_BYTES_MAX : REQUEST_BYTES_MAX);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#tellRoom());
    // A reader that goes away in the middle of an answer is its own affair.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      for (const controller of this.#pending.values()) controller.abort();
      this.#tellRoom();
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const lines = this.#splitter.push(chunk);
    if (lines === undefined) return this.#refuse("request-too-long");
    for (const line of lines) {
      const fault = this.#take(line);
      if (fault !== undefined) return this.#refuse(fault);
    }
  }

  /** Why the connection must end, if it must. */
  #take(line: string): string | undefined {
    const request = decodeRequest(line);
    if (request === undefined) return "request-malformed";
    if ("cancel" in request) {
      this.#pending.get(request.id)?.abort();
      return undefined;
    }
    if (line.length > REQUEST_BYTES_MAX && request.method !== "submit") return "request-too-long";
    if (this.#pending.has(request.id)) return "request-malformed";
    if (
      this.#pending.size >= REQUESTS_PENDING_MAX ||
      this.#pendingBytes + line.length > 2 * SUBMIT_BYTES_MAX
    )
      return "requests-too-many";
    void this.#answer(request, line.length);
    return undefined;
  }

  /** An operating error is an answer too. */
  async #answer(request: ControlRequest, bytes: number): Promise<void> {
    const { id } = request;
    const controller = new AbortController();
    this.#pending.set(id, controller);
    this.#pendingBytes += bytes;
    let text: string;
    try {
      const result = await this.#call(request, controller.signal);
      text = encodeFrame({ v: CONTROL_VERSION, id, result });
    } catch (error) {
      text = encodeFrame({ v: CONTROL_VERSION, id, error: toErrorRecord(error) });
    }
    this.#pending.delete(id);
    this.#pendingBytes -= bytes;
    if (this.#socket.destroyed) return;
    this.#socket.write(text);
    // Who asks and does not read is not asked for more.
    if (this.#socket.writableLength > UNSENT_BYTES_HIGH) this.#socket.pause();
  }

  async #call(request: ControlRequest, signal: AbortSignal): Promise<unknown> {
    if (request.v !== CONTROL_VERSION) throw otherVersion(`Control protocol ${request.v}`);
    const question: Question = {
      params: request.params,
      signal,
      emit: (event) => this.#emit(request.id, event),
    };
    const isDaemon = "daemonSide" in this.#deps;
    if (request.method === "hello") return { isDaemon, pid: process.pid };
    const answered = isDaemon
      ? callDaemon(this.#deps.daemonSide, request.method, question)
      : callHolder(this.#deps, request.method, question);
    if (answered === undefined) throw otherVersion(`"${request.method}"`);
    return answered;
  }

  #emit(id: number, event: unknown): void | Promise<void> {
    if (this.#socket.destroyed || !this.#pending.has(id)) return undefined;
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) {
      if (!this.#hasDropped) this.#deps.logger.warn("control-events-dropped", {});
      this.#hasDropped = true;
      return undefined;
    }
    this.#socket.write(encodeFrame({ v: CONTROL_VERSION, id, event }));
    if (this.#socket.writableLength <= UNSENT_BYTES_HIGH) return undefined;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  #tellRoom(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
    if (!this.#socket.destroyed && this.#socket.isPaused()) this.#socket.resume();
  }

  #refuse(reason: string): void {
    this.#deps.logger.warn("control-refused", { reason });
    this.#socket.destroy();
  }
}

function otherVersion(what: string): MfError {
  return new MfError("NOT_AVAILABLE", {
    what,
    hint: "Use the same version of mf for both commands; a daemon answers more than an `mf run`.",
  });
}
