/**
 * What Python prints, on its way to the log. The pipe may lag behind the answer, so the Python side ends the prints of each call
 * with a mark, and whoever closes the log waits for it.
 */
import type { Readable } from "node:stream";
import type { LogStream } from "../../../task/log-record.ts";
import type { PrintSink } from "../../../task/print-capture.ts";

/** As mfpy.py writes it. */
const MARK = Buffer.from("\0mf:printed\0");

export class PythonPrints {
  readonly #name: LogStream;
  readonly #ended: Promise<void>;
  #sink: PrintSink | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #marked: () => void = () => undefined;
  #mark: Promise<void> = Promise.resolve();

  constructor(stream: Readable, name: LogStream) {
    this.#name = name;
    stream.on("data", (data: Buffer) => this.#take(data));
    this.#ended = new Promise((resolve) => stream.once("close", resolve));
  }

  /** Prints of the call that begins now go to `sink`. */
  begin(sink: PrintSink): void {
    this.#sink = sink;
    this.#mark = new Promise((resolve) => {
      this.#marked = resolve;
    });
  }

  /** Until all that the call printed is written. */
  async drained(): Promise<void> {
    await Promise.race([this.#mark, this.#ended]);
    this.#write(this.#rest);
    this.#rest = Buffer.alloc(0);
  }

  #take(data: Buffer): void {
    let held = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    for (let at = held.indexOf(MARK); at >= 0; at = held.indexOf(MARK)) {
      this.#write(held.subarray(0, at));
      held = held.subarray(at + MARK.length);
      this.#marked();
    }
    // The end may be the beginning of a mark.
    const start = held.lastIndexOf(0);
    const isCut = start >= 0 && MARK.indexOf(held.subarray(start)) === 0;
    this.#write(isCut ? held.subarray(0, start) : held);
    this.#rest = isCut ? Buffer.from(held.subarray(start)) : Buffer.alloc(0);
  }

  #write(data: Buffer): void {
    if (data.length > 0) this.#sink?.write(this.#name, data);
  }
}
