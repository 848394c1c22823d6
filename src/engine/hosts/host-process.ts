/** A step host as the engine holds it: the process, its socket, and the work it has. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ContentLocation } from "../../store/ports.ts";
import type { AttemptProgress } from "../../task/host-messages.ts";
import { receiveFrames, sendFrame } from "./frames.ts";
import type { Broken, FromHost, ToHost, Work } from "./host-protocol.ts";

export type WorkEnd =
  | { readonly t: "done"; readonly result: unknown }
  | { readonly t: "broken"; readonly position: number; readonly why: Broken }
  /** The process died; `position` was running (-1: had not begun). */
  | { readonly t: "died"; readonly position: number; readonly death: Death };

export interface Death {
  readonly code: number | null;
  readonly signal: string | null;
  readonly memory?: { readonly used: number; readonly limit: number };
  readonly stderr: string;
}

interface Pending {
  readonly mark: number;
  readonly end: (end: WorkEnd) => void;
  readonly onProgress: ((progress: AttemptProgress) => void) | undefined;
}

export interface HostProcessOptions {
  readonly threads: number;
  readonly heapBytes: number;
  readonly marksFile: string;
  locate(id: string): Promise<ContentLocation | undefined>;
}

const PROGRAM = fileURLToPath(new URL("step-host.js", import.meta.url));
const STDERR_CHARS_KEPT = 4_096;

export class HostProcess {
  readonly #child: ChildProcess;
  readonly #socket: Duplex;
  readonly #options: HostProcessOptions;
  readonly #marks: number;
  readonly #pending = new Map<number, Pending>();
  readonly exited: Promise<void>;
  #ids = 0;
  #memory: Death["memory"];
  #stderr = "";
  isDead = false;

  constructor(options: HostProcessOptions) {
    this.#options = options;
    this.#marks = openSync(options.marksFile, "w+");
    const args = [PROGRAM, String(options.threads), String(options.heapBytes), options.marksFile];
    // In a group of its own: it is killed whole, and a Ctrl-C at the terminal reaches the engine only.
    this.#child = spawn(process.execPath, args, {
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-STDERR_CHARS_KEPT);
    });
    this.#socket = this.#child.stdio[3] as Duplex;
    this.#socket.on("error", () => this.kill());
    receiveFrames(this.#socket, (message) => this.#receive(message as FromHost));
    this.exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: string | null): void => {
        if (!this.isDead) this.#die(code, signal);
        resolve();
      };
      this.#child.once("close", ended);
      this.#child.once("error", (error) => {
        this.#stderr += error.message;
        ended(null, null);
      });
    });
  }

  get load(): number {
    return this.#pending.size;
  }

  run(
    work: Work,
    signal?: AbortSignal,
    onProgress?: (progress: AttemptProgress) => void,
  ): Promise<WorkEnd> {
    const id = (this.#ids += 1);
    const used = new Set([...this.#pending.values()].map((item) => item.mark));
    let mark = 0;
    while (used.has(mark)) mark += 1;
    return new Promise((resolve) => {
      const cancel = (): void => this.#send({ t: "cancel", id });
      const end = (result: WorkEnd): void => {
        signal?.removeEventListener("abort", cancel);
        resolve(result);
      };
      this.#pending.set(id, { mark, end, onProgress });
      this.#clearMark(mark);
      this.#send({ t: "work", id, mark, work });
      if (signal?.aborted) cancel();
      else signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** The whole group, at once. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined || this.isDead) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It is gone already.
    }
  }

  #send(message: ToHost): void {
    if (!this.isDead && this.#socket.writable) sendFrame(this.#socket, message);
  }

  #receive(message: FromHost): void {
    if (message.t === "memory") {
      this.#memory = { used: message.used, limit: message.limit };
      return;
    }
    const pending = this.#pending.get(message.id);
    if (message.t === "progress") return pending?.onProgress?.(message.progress);
    if (message.t === "locate") return void this.#answer(message);
    this.#pending.delete(message.id);
    pending?.end(message);
  }

  async #answer({ id, ask, content }: Extract<FromHost, { t: "locate" }>): Promise<void> {
    // A store that fails here is a content that is not found: the step's read says so.
    const location = await this.#options.locate(content).catch(() => undefined);
    this.#send({ t: "located", id, ask, ...(location === undefined ? {} : { location }) });
  }

  #die(code: number | null, signal: string | null): void {
    this.isDead = true;
    const memory = this.#memory === undefined ? {} : { memory: this.#memory };
    const death: Death = { code, signal, stderr: this.#stderr, ...memory };
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { mark, end } of pending)
      end({ t: "died", position: this.#markOf(mark) - 1, death });
    closeSync(this.#marks);
    rmSync(this.#options.marksFile, { force: true });
  }

  #clearMark(mark: number): void {
    const zero = Buffer.alloc(4);
    writeSync(this.#marks, zero, 0, 4, mark * 4);
  }

  #markOf(mark: number): number {
    const value = Buffer.alloc(4);
    readSync(this.#marks, value, 0, 4, mark * 4);
    return value.readInt32LE();
  }
}
